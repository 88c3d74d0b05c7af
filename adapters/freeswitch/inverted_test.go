package freeswitch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ringmaster/orchestrator"
)

// orders are all orders of n things.
func orders(n int) (all [][]int) {
	if n == 0 {
		return [][]int{nil}
	}
	for _, rest := range orders(n - 1) {
		for at := 0; at <= len(rest); at++ {
			all = append(all, slices.Insert(slices.Clone(rest), at, n-1))
		}
	}
	return all
}

// story is what was told of a leg, by kind.
func (o *office) story(leg orchestrator.LegID) (kinds []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.seen {
		if strings.Contains(fmt.Sprintf("%+v", s.event), "Leg:"+string(leg)+" ") || strings.Contains(fmt.Sprintf("%+v", s.event), "Leg:"+string(leg)+"}") {
			kinds = append(kinds, strings.TrimPrefix(fmt.Sprintf("%T", s.event), "orchestrator."))
		}
	}
	return kinds
}

// numbered is an event with its place among all events of the switch.
func numbered(n int, name, channel string, headers ...string) string {
	return eventText(name, append([]string{"Event-Sequence", strconv.Itoa(n), "Unique-ID", channel}, headers...)...)
}

// A caller who is parked and hangs up, told in every order that threads of
// FreeSWITCH could bring it into: either nothing is told, or that he came and
// went. No order leaves a caller who is not there.
func TestEndsOvertakeArrivals(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	for i, order := range orders(3) {
		channel := fmt.Sprintf("11111111-2222-3333-4444-%012d", i)
		texts := []string{
			numbered(10, "CHANNEL_PARK", channel, "Answer-State", "ringing", "Caller-Destination-Number", "4930555", "variable_rm_entry", "in"),
			numbered(12, "CHANNEL_HANGUP", channel, "Answer-State", "hangup", "Hangup-Cause", "NORMAL_CLEARING", "variable_rm_entry", "in"),
			numbered(13, "CHANNEL_HANGUP_COMPLETE", channel, "Answer-State", "hangup", "Hangup-Cause", "NORMAL_CLEARING", "variable_rm_entry", "in"),
		}
		for _, n := range order {
			f.send(texts[n])
		}
		f.send(texts[0]) // Told twice.
		leg := orchestrator.LegID("pbx/" + channel)
		o.afterAll(f, i)
		story := o.story(leg)
		if came := []string{"LegOffered", "LegEnded"}; !slices.Equal(story, came) && (len(story) > 0 || slices.IsSorted(order)) {
			t.Errorf("in the order %v: %v", order, story)
		}
	}
	if n := o.sw.Stats().Legs; n != 0 {
		t.Errorf("%d legs are left", n)
	}
}

// afterAll waits until everything sent so far was handled: until a caller who
// comes after it is told.
func (o *office) afterAll(f *fake, n int) {
	o.Helper()
	channel := fmt.Sprintf("99999999-2222-3333-4444-%012d", n)
	f.send(numbered(1000, "CHANNEL_PARK", channel, "Answer-State", "ringing", "variable_rm_entry", "in"))
	expect(o, 0, func(e orchestrator.LegOffered) bool { return e.Leg == orchestrator.LegID("pbx/"+channel) })
	f.send(numbered(1001, "CHANNEL_HANGUP_COMPLETE", channel, "Hangup-Cause", "NORMAL_CLEARING"))
	expect(o, 0, func(e orchestrator.LegEnded) bool { return e.Leg == orchestrator.LegID("pbx/"+channel) })
}

// A phone that is made, rings, answers and is parked, told in every order: it
// is up once, when it is parked and answered, and never rings after that.
func TestAnswersOvertakeRinging(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	for i, order := range orders(4) {
		leg := newID()
		var answered sync.WaitGroup
		answered.Go(func() {
			if result, reason := o.do(dialOf(leg)); result != orchestrator.ResultAccepted {
				t.Errorf("dial was answered %s %s", result, reason)
			}
		})
		eventually(t, "the dial is out", func() bool { return len(f.requests(leg)) > 0 })
		stamp := dialOf(leg).Stamp.String()
		texts := []string{
			numbered(20, "CHANNEL_CREATE", leg, "variable_rm_stamp", stamp),
			numbered(21, "CHANNEL_PROGRESS", leg, "Answer-State", "ringing", "variable_rm_stamp", stamp),
			numbered(22, "CHANNEL_ANSWER", leg, "Answer-State", "answered", "variable_rm_stamp", stamp),
			numbered(23, "CHANNEL_PARK", leg, "Answer-State", "answered", "variable_rm_stamp", stamp),
		}
		for _, n := range order {
			f.send(texts[n])
		}
		answered.Wait()
		o.afterAll(f, 100+i)
		if story := o.story(orchestrator.LegID(leg)); !slices.Equal(story, []string{"LegRinging", "LegUp"}) && (!slices.Equal(story, []string{"LegUp"}) || slices.IsSorted(order)) {
			t.Errorf("in the order %v: %v", order, story)
		}
	}
	if o.sw.Stats().Late == 0 {
		t.Error("no late event was counted")
	}
}
