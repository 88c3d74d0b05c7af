package freeswitch

import (
	"slices"
	"strconv"
	"time"

	"ringmaster/orchestrator"
)

// sounds is what a leg hears from us. FreeSWITCH is given one thing at a time:
// what waits in its own queue would ride into the next bridge, and could not
// be stopped alone.
type sounds struct {
	queue []*play // the first is sounding or next
	known []*play // of this leg, the ended too: a repeated Play is not played twice
	music string  // path of the music to be heard when nothing else is; "" is none
	now   *sounding
	run   string // of this process: names soundings apart from an earlier one's
	count int
}

// play is one Play command on a leg; it is forgotten with the leg.
type play struct {
	id      orchestrator.PlayID
	paths   []string // what is left of it
	heard   bool     // FreeSWITCH began to play the present path
	stopped bool
	done    bool
}

// sounding is a playback that FreeSWITCH was told of.
type sounding struct {
	id    string // its Event-UUID
	play  *play  // nil: music
	path  string
	ended time.Time // when it was told to end; zero if it was not
	found bool      // on a leg adopted: its id is not known
}

// maxPlays bounds the plays remembered per leg. Ended ones are forgotten first:
// a caller may wait through a thousand announcements.
const maxPlays = 64

// begin enters a play. known says it was begun before, full that too many run.
func (b *book) begin(l *leg, id orchestrator.PlayID, paths []string) (known, full bool) {
	if b.plays[id] != nil {
		return true, false
	}
	s := &l.sounds
	if len(s.known) >= maxPlays {
		s.known = slices.DeleteFunc(s.known, func(p *play) bool {
			if p.done {
				delete(b.plays, p.id)
			}
			return p.done
		})
	}
	if len(s.known) >= maxPlays {
		return false, true
	}
	p := &play{id: id, paths: paths}
	s.queue = append(s.queue, p)
	s.known = append(s.known, p)
	b.plays[id] = l
	return false, false
}

func (l *leg) play(id orchestrator.PlayID) *play {
	for _, p := range l.sounds.known {
		if p.id == id {
			return p
		}
	}
	return nil
}

// sound is the next thing to tell FreeSWITCH, none while something sounds.
func (l *leg) sound() []order {
	s := &l.sounds
	if s.now != nil || l.releasing || l.moving != nil || l.supervising != nil || l.joining != "" || !l.hungUp.IsZero() {
		return nil
	}
	switch {
	case len(s.queue) > 0:
		p := s.queue[0]
		p.heard = false
		s.now = &sounding{play: p, path: p.paths[0]}
	case s.music != "" && l.bridge == "":
		s.now = &sounding{path: s.music}
	default:
		return nil
	}
	s.count++
	s.now.id = l.channel + "." + s.run + "." + strconv.Itoa(s.count)
	return []order{encodeSound(l.channel, s.now.path, s.now.id)}
}

// hush ends what sounds now, so that the next can begin.
func (l *leg) hush(now time.Time) []order {
	if l.sounds.now == nil || !l.sounds.now.ended.IsZero() {
		return nil
	}
	l.sounds.now.ended = now
	return []order{encodeBreak(l.channel)}
}

// makeWay is what has to be told so that the queue goes on: music gives way to
// a play, and music that is not wanted any more ends.
func (l *leg) makeWay(now time.Time) []order {
	s := &l.sounds
	if s.now == nil {
		return l.sound()
	}
	if s.now.play == nil && (len(s.queue) > 0 || s.now.path != s.music) {
		return l.hush(now)
	}
	return nil
}

// silence stops everything on a leg for good and tells the plays that will not
// be heard. What sounds this moment is told when it has ended.
func (b *book) silence(l *leg, now time.Time) (out []orchestrator.Event) {
	s := &l.sounds
	s.music = ""
	var left []*play
	for _, p := range s.queue {
		p.stopped = true
		if s.now != nil && s.now.play == p {
			left = append(left, p)
			continue
		}
		out = append(out, b.playOver(l, p, orchestrator.PlayStopped)...)
	}
	s.queue = left
	if s.now != nil && s.now.ended.IsZero() {
		s.now.ended = now
	}
	return out
}

// playOver ends a play once.
func (b *book) playOver(l *leg, p *play, status orchestrator.PlayStatus) []orchestrator.Event {
	l.sounds.queue = slices.DeleteFunc(l.sounds.queue, func(q *play) bool { return q == p })
	if p.done {
		return nil
	}
	p.done = true
	return []orchestrator.Event{orchestrator.PlayDone{Leg: l.id, Play: p.id, Status: status}}
}

// soundOver is the end of what sounded. That it was heard is known from its
// beginning: FreeSWITCH's word at the end may be that of an earlier one.
func (b *book) soundOver(l *leg, response string) []orchestrator.Event {
	was := l.sounds.now
	l.sounds.now = nil
	p := was.play
	if p == nil || p.done {
		return nil
	}
	p.paths = p.paths[1:]
	switch {
	case p.stopped || !l.hungUp.IsZero():
		return b.playOver(l, p, orchestrator.PlayStopped)
	case !p.heard || response == "FILE NOT FOUND" || response == "PLAYBACK ERROR":
		return b.playOver(l, p, orchestrator.PlayFailed)
	case len(p.paths) == 0:
		return b.playOver(l, p, orchestrator.PlayFinished)
	}
	return nil
}

// regain takes over what a leg hears after a gap in the events. Music goes on by
// itself. A prompt may have ended unheard, and one of another orchestrator's
// ends with a name we do not know: both are ended, so that nothing sounds
// beneath what we play next.
func (b *book) regain(l *leg, class string, now time.Time) []order {
	s := &l.sounds
	known := s.now != nil || s.music != "" || len(s.queue) > 0
	if path, err := musicPath(class); err == nil && class != "" && !known {
		s.music = path
		s.now = &sounding{path: path, found: true}
		return nil
	}
	if s.now != nil && s.now.play == nil {
		s.now.found = true
		return nil
	}
	if s.now == nil && known || s.now == nil && l.dialled && l.state != orchestrator.LegIsUp {
		return l.sound()
	}
	if s.now != nil {
		return l.hush(now)
	}
	return []order{encodeBreak(l.channel)}
}

// hushGrace is how long after uuid_break the end of a playback may be missing:
// one that FreeSWITCH had not begun is dropped without a word.
const hushGrace = 400 * time.Millisecond

// overdue ends what was told to end and said nothing.
func (b *book) overdue(now time.Time) (out []orchestrator.Event, todo []chore) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.live {
		s := l.sounds.now
		if s == nil || s.ended.IsZero() || now.Sub(s.ended) < hushGrace {
			continue
		}
		out = append(out, b.soundOver(l, "")...)
		todo = append(todo, choresOf(l, l.sound())...)
	}
	return out, todo
}
