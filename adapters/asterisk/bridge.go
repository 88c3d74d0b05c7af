package asterisk

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"ringmaster/orchestrator"
)

// separate takes a leg out of its bridge; 422 says it is not in it.
func (s *Switch) separate(ctx context.Context, l *leg, a orchestrator.Separate) (orchestrator.CommandResult, string) {
	if err := checkID("bridge", string(a.Bridge)); err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	if err := s.stopPlays(ctx, l); err != nil {
		return verdict(err)
	}
	err := s.rest.send(ctx, encodeSeparate(a.Bridge, l.channel), nil)
	if statusOf(err) == http.StatusUnprocessableEntity {
		return orchestrator.ResultAlready, ""
	}
	if statusOf(err) == 0 || statusOf(err) == http.StatusBadRequest {
		s.doubt(l)
	}
	return verdict(err)
}

// admit puts a further leg into a bridge that is there. Whatever plays on the
// leg would hold the joining up, so it ends first.
func (s *Switch) admit(ctx context.Context, l *leg, a orchestrator.Join) (orchestrator.CommandResult, string) {
	if err := checkID("bridge", string(a.Bridge)); err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	put, err := encodeJoin(a.Bridge, l.channel)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	if len(s.book.outside(a.Bridge, l)) == 0 {
		return orchestrator.ResultAlready, ""
	}
	defer s.hold(a.Bridge)()
	if err := s.quieten(ctx, l); err != nil {
		return verdict(err)
	}
	s.book.sent(a.Bridge, l)
	result, reason := s.order(ctx, l, put)
	if result != orchestrator.ResultAccepted {
		s.book.sent("", l)
	}
	return result, reason
}

// enterGrace is how long after an order into a bridge the word of the entry may
// be missing.
const enterGrace = time.Second

// outside are the channels of the legs that are not in a bridge and not on their
// way: whom Asterisk is told to put where they are, it takes out and in again.
func (b *book) outside(id orchestrator.BridgeID, legs ...*leg) (channels []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range legs {
		if l.bridge != id && (l.entering != id || time.Since(l.ordered) > enterGrace) {
			channels = append(channels, l.channel)
		}
	}
	return channels
}

// sent notes that legs are ordered into a bridge, "" that they are not.
func (b *book) sent(id orchestrator.BridgeID, legs ...*leg) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range legs {
		l.entering, l.ordered = id, time.Now()
	}
}

// join puts two legs into one bridge. Whatever plays on them would hold the
// join up, so it ends first; that and making the bridge go side by side.
func (s *Switch) join(ctx context.Context, a orchestrator.Connect) (orchestrator.CommandResult, string) {
	bridge, err := encodeBridge(a)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	var legs [2]*leg
	for i, id := range []orchestrator.LegID{a.A, a.B} {
		l, ended := s.book.find(id)
		if ended || l == nil {
			return orchestrator.ResultNotFound, "no such leg: " + clip(string(id), maxID)
		}
		legs[i] = l
	}
	outside := s.book.outside(a.Bridge, legs[:]...)
	if len(outside) == 0 {
		return orchestrator.ResultAlready, ""
	}
	put, err := encodeJoin(a.Bridge, outside...)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	defer s.hold(a.Bridge)()
	made, err := s.prepare(ctx, bridge, legs[:])
	if err == nil {
		s.book.sent(a.Bridge, legs[:]...)
		err = s.rest.send(ctx, put, nil)
	}
	if err == nil {
		return orchestrator.ResultAccepted, ""
	}
	s.book.sent("", legs[:]...)
	for _, l := range legs {
		s.doubt(l)
	}
	if made && statusOf(err) != 0 {
		_ = s.rest.send(ctx, encodeCloseBridge(string(a.Bridge)), nil) // Else the next reading removes it.
	}
	if statusOf(err) == http.StatusBadRequest {
		return orchestrator.ResultNotFound, err.Error() // One of the legs; neither joined.
	}
	return verdict(err)
}

// prepare readies legs and bridge for joining; made says the bridge is new.
func (s *Switch) prepare(ctx context.Context, bridge request, legs []*leg) (made bool, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := s.rest.send(ctx, bridge, nil)
		made = err == nil
		if statusOf(err) == http.StatusConflict {
			return nil // It exists.
		}
		return err
	})
	for _, l := range legs {
		group.Go(func() error { return s.quieten(ctx, l) })
	}
	err = group.Wait()
	return made, err
}

// quieten ends plays and music on a leg.
func (s *Switch) quieten(ctx context.Context, l *leg) error {
	if err := s.stopPlays(ctx, l); err != nil || !s.book.hasMusic(l) {
		return err
	}
	err := s.rest.send(ctx, encodeStopMusic(l.channel), nil)
	if err == nil {
		s.book.musical(l, false)
	}
	if statusOf(err) == http.StatusConflict {
		return nil // The leg is not in our application yet or any more; the join will tell.
	}
	return err
}

func (s *Switch) closeBridge(ctx context.Context, a orchestrator.CloseBridge) (orchestrator.CommandResult, string) {
	if err := checkID("bridge", string(a.Bridge)); err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	err := s.rest.send(ctx, encodeCloseBridge(string(a.Bridge)), nil)
	if bridgeGone(err) {
		return orchestrator.ResultAlready, ""
	}
	return verdict(err)
}

// bridgeGone reports a bridge that is not there, or not any more: one that is
// just being removed is answered 409, "not in Stasis application".
func bridgeGone(err error) bool {
	return statusOf(err) == http.StatusNotFound || statusOf(err) == http.StatusConflict
}
