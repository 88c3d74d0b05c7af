package asterisk

import (
	"context"
	"net/http"
	"time"

	"github.com/CyCoreSystems/ari/v5"

	"ringmaster/orchestrator"
)

// referral is a ChannelTransfer: a phone's REFER, which Asterisk has accepted
// and leaves to us (PJSIP_TRANSFER_HANDLING is ari-only). The models of ari/v5
// 5.3.1 do not know it.
type referral struct {
	State   string `json:"state"` // set in the echo of our own answer
	ReferTo struct {
		Requested struct {
			Destination string `json:"destination"`
			ProtocolID  string `json:"protocol_id"` // attended: the Call-ID of the consultation
		} `json:"requested_destination"`
		Consult struct {
			ID string `json:"id"`
		} `json:"destination_channel"`
	} `json:"refer_to"`
	ReferredBy struct {
		Source ari.ChannelData `json:"source_channel"`
	} `json:"referred_by"`
}

// transfer is a phone's wish to move a call. What cannot be told as one is
// refused: unanswered, the phone would wait until its call is over.
func (b *book) transfer(r *referral) ([]orchestrator.Event, []chore) {
	l := b.leg(r.ReferredBy.Source)
	if r.State != "" || l == nil {
		return nil, nil
	}
	ask := orchestrator.TransferAsked{Leg: l.id, Party: b.partner(l)}
	to := &r.ReferTo
	if to.Requested.ProtocolID == "" && to.Consult.ID == "" {
		ask.Target = orchestrator.PlainText(to.Requested.Destination, orchestrator.MaxPartyNumber)
	} else if consult := b.leg(ari.ChannelData{ID: to.Consult.ID}); consult != nil {
		ask.Consult, ask.Peer = consult.id, b.partner(consult)
	}
	if ask.Party == "" || ask.Target == "" && ask.Consult == "" {
		return nil, []chore{{what: choreRefuseTransfer, id: l.channel}}
	}
	l.wishes = true
	return []orchestrator.Event{ask}, nil
}

// partner is the one other leg in a leg's bridge, "" when there is none or are
// several.
func (b *book) partner(l *leg) (other orchestrator.LegID) {
	if l.bridge == "" {
		return ""
	}
	for _, x := range b.live {
		switch {
		case x == l || x.bridge != l.bridge:
		case other != "":
			return ""
		default:
			other = x.id
		}
	}
	return other
}

// answerTransfer is our word about a phone's wish. Asterisk does not say whether
// one waits, and takes a word about none for good; so the book knows.
func (s *Switch) answerTransfer(ctx context.Context, l *leg, progress string) (orchestrator.CommandResult, string) {
	s.book.mu.Lock()
	waits := l.wishes
	l.wishes = false
	s.book.mu.Unlock()
	if !waits {
		return orchestrator.ResultNotFound, "no transfer waits for an answer"
	}
	if err := s.sayTransfer(ctx, l.channel, progress); err != nil {
		result, reason := verdict(err)
		if result == orchestrator.ResultNoWord || result == orchestrator.ResultNotFound {
			s.doubt(l)
		}
		return result, reason
	}
	return orchestrator.ResultAccepted, ""
}

// sayTransfer tells a phone about its REFER, not before Asterisk is through with
// the request. Asterisk 22.10.1 announces a REFER before it has filled in what
// our word is written into: one that overtakes it ends the whole PBX (seen once
// on a busy machine: segmentation fault in res_pjsip_refer). A question about
// the SIP side of the leg is answered by the same queue that handles the
// request, hence after it.
func (s *Switch) sayTransfer(ctx context.Context, channel, progress string) error {
	err := s.rest.send(ctx, encodeReadVariable(channel, "CHANNEL(pjsip,call-id)"), nil)
	switch {
	case statusOf(err) == http.StatusNotFound:
		return err
	case err != nil:
		select {
		case <-time.After(transferPause):
		case <-ctx.Done():
			return &failure{request: "transfer_progress", message: ctx.Err().Error(), unsent: true}
		}
	}
	return s.rest.send(ctx, encodeTransferProgress(channel, progress), nil)
}

// transferPause is given instead where the question was not answered.
const transferPause = 500 * time.Millisecond
