package runner

import (
	"context"
	"sync"

	o "ringmaster/orchestrator"
)

// laneMax bounds the commands one call may have waiting. A call that gives
// more orders than that is lost in a loop; the oldest orders still count.
const laneMax = 1000

// lanes sends commands: those of one lane one after another, different lanes
// side by side.
type lanes struct {
	r    *Runner
	lock sync.Mutex
	busy map[string][]o.Command // waiting, per lane with a goroutine
	wg   sync.WaitGroup
}

func (l *lanes) init(r *Runner) { l.r, l.busy = r, map[string][]o.Command{} }

func (l *lanes) send(c o.Command) {
	l.lock.Lock()
	defer l.lock.Unlock()
	waiting, busy := l.busy[c.Lane]
	if len(waiting) >= laneMax {
		l.r.log().Error("command dropped: lane full", "lane", c.Lane)
		return
	}
	l.busy[c.Lane] = append(waiting, c)
	if !busy {
		l.wg.Go(func() { l.work(c.Lane) })
	}
}

// work sends a lane's commands until there are none.
func (l *lanes) work(lane string) {
	for {
		l.lock.Lock()
		waiting := l.busy[lane]
		if len(waiting) == 0 {
			delete(l.busy, lane)
			l.lock.Unlock()
			return
		}
		c := waiting[0]
		l.busy[lane] = waiting[1:]
		l.lock.Unlock()
		l.do(c)
	}
}

func (l *lanes) do(c o.Command) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	s := l.r.switches.of(c.Switch)
	if s == nil {
		l.failed(c, o.ResultRejected, "no such switch")
		return
	}
	action, err := l.spoken(ctx, c.Do)
	if err != nil {
		l.r.log().Error("speak", "lane", c.Lane, "cause", err)
		play := c.Do.(o.Play)
		l.r.post(context.Background(), message{event: o.PlayDone{Leg: play.Leg, Play: play.Play, Status: o.PlayFailed}, at: now()})
		return
	}
	result, reason := s.Do(ctx, action)
	if result != o.ResultAccepted && result != o.ResultAlready {
		l.failed(c, result, reason)
	}
}

func (l *lanes) failed(c o.Command, result o.CommandResult, reason string) {
	l.r.post(context.Background(), message{at: now(), event: o.CommandDone{
		Command: c.ID, Switch: c.Switch, Leg: o.ActionLeg(c.Do), Do: c.Do, Result: result, Reason: reason,
	}})
}

// spoken replaces words by the files that say them.
func (l *lanes) spoken(ctx context.Context, do o.Action) (o.Action, error) {
	play, ok := do.(o.Play)
	if !ok {
		return do, nil
	}
	media := make([]o.Media, len(play.Media))
	for i, m := range play.Media {
		if m.Say != "" {
			file, err := l.r.cfg.Voice.Speak(ctx, m.Language, m.Say)
			if err != nil {
				return nil, err
			}
			m = o.Media{File: file}
		}
		media[i] = m
	}
	play.Media = media
	return play, nil
}

// drain waits for the commands that are on their way.
func (l *lanes) drain() { l.wg.Wait() }
