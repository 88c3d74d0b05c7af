package main

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"ringmaster/api/center"
	"ringmaster/api/gen"
	"ringmaster/docker/lab"
)

//go:embed center.yaml
var centerFile []byte

// roster is what the demo itself must know of center.yaml.
type roster struct {
	agents  []gen.Agent
	phones  []gen.Phone
	queues  int
	dialled string // the number people call
}

func readRoster() (roster, error) {
	f, err := center.Read("docker/demo/center.yaml", centerFile)
	if err != nil {
		return roster{}, err
	}
	c := f.Change
	if c.Agents == nil || c.Phones == nil || c.Queues == nil || c.Numbers == nil || len(*c.Agents) != len(*c.Phones) {
		return roster{}, fmt.Errorf("%s: want queues, a number, and a phone for each agent", f.Name)
	}
	return roster{*c.Agents, *c.Phones, len(*c.Queues), (*c.Numbers)[0].Dialled}, nil
}

// withSwitch is center.yaml and the PBX it does not know.
func withSwitch(pbx *lab.Asterisk) []byte {
	return fmt.Appendf(slices.Clip(centerFile), `
switches:
  - id: pbx
    name: Asterisk of the demo
    type: asterisk
    url: %q
    username: %q
    password: %q
`, pbx.ARIURL, pbx.ARIUser, pbx.ARIPassword)
}

// person is somebody who calls. The numbers are those that Germany, Britain and
// the United States keep free for stories.
type person struct{ name, number string }

var people = []person{
	{"Jonas Weber", "+493023125101"},
	{"Grace O'Brien", "+442079460102"},
	{"Mia Schulz", "+493023125103"},
	{"Samuel Adeyemi", "+442079460104"},
	{"Lucía Romero", "+12025550105"},
	{"Tom Becker", "+493023125106"},
	{"Priya Nair", "+442079460107"},
	{"Noah Fischer", "+493023125108"},
	{"Emma Wright", "+442079460109"},
	{"Felix Braun", "+493023125110"},
	{"Aisha Rahman", "+442079460111"},
	{"Lena Hoffmann", "+493023125112"},
	{"Jack Miller", "+12025550113"},
	{"Sofia Rossi", "+493023125114"},
	{"Oscar Nilsson", "+493023125115"},
	{"Hannah Klein", "+493023125116"},
	{"Kofi Mensah", "+442079460117"},
	{"Zoë Peters", "+493023125118"},
	{"Yuki Tanaka", "+12025550119"},
	{"Paul Wagner", "+493023125120"},
	{"Ines Costa", "+493023125121"},
	{"David Cohen", "+12025550122"},
	{"Marta Nowak", "+493023125123"},
	{"Liam Murphy", "+442079460124"},
}

// Tones stand for voices: each agent has one, and each caller of the moment.
const (
	agentHz  = 600  // the first agent's; 100 more for each further one
	callerHz = 1200 // the first caller's; 100 more for each further one
	voices   = 16   // callers at a time
)

func tones(agents int) (hz []int) {
	for i := range agents {
		hz = append(hz, agentHz+100*i)
	}
	for i := range voices {
		hz = append(hz, callerHz+100*i)
	}
	return hz
}

// visit is one call of one person, as both its ends know it.
type visit struct {
	person
	hz int // the caller's voice

	mu          sync.Mutex
	agent       string // who picked up, "" before
	agentHz     int
	picked      time.Time
	callerHears bool
	agentHears  bool
}

// pickedUp notes the agent who answered.
func (v *visit) pickedUp(name string, hz int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.agent, v.agentHz, v.picked = name, hz, time.Now()
}

// with is the agent's voice and since when, 0 while nobody has picked up.
func (v *visit) with() (hz int, since time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.agentHz, v.picked
}

// book is who is on the line now, by number, and what the phones have heard so far.
type book struct {
	mu     sync.Mutex
	visits map[string]*visit
	next   int
	order  []person
	sound  sound
	first  chan *visit // the first visit in which both heard each other; closed afterwards
}

// sound counts conversations by what the two phones heard.
type sound struct {
	Both int // each heard the other, and not themselves
	Deaf int // lasted long enough, and somebody heard nothing
}

func newBook() *book {
	b := &book{visits: map[string]*visit{}, first: make(chan *visit, 1)}
	b.order = append(b.order, people...)
	rand.Shuffle(len(b.order), func(i, j int) { b.order[i], b.order[j] = b.order[j], b.order[i] }) //nolint:gosec // no secret
	return b
}

// open lets the next person call, nil when every voice is taken.
func (b *book) open() *visit {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.visits) >= voices {
		return nil
	}
	used := map[int]bool{}
	for _, v := range b.visits {
		used[v.hz] = true
	}
	hz := callerHz
	for used[hz] {
		hz += 100
	}
	for range b.order {
		p := b.order[b.next%len(b.order)]
		b.next++
		if b.visits[p.number] == nil {
			v := &visit{person: p, hz: hz}
			b.visits[p.number] = v
			return v
		}
	}
	return nil
}

// of is the visit of the caller whose number a desk phone shows, nil for a stranger.
func (b *book) of(number string) *visit {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.visits[number]
}

// heard notes that one side of a visit hears the other.
func (b *book) heard(v *visit, mark func(*visit)) {
	v.mu.Lock()
	before := v.callerHears && v.agentHears
	mark(v)
	both := v.callerHears && v.agentHears
	v.mu.Unlock()
	if before || !both {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sound.Both++
	if b.sound.Both == 1 {
		b.first <- v
		close(b.first)
	}
}

// close ends a visit and judges its sound.
func (b *book) close(v *visit, up time.Duration) {
	v.mu.Lock()
	deaf := up > soundMax && (!v.callerHears || !v.agentHears)
	v.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.visits, v.number)
	if deaf {
		b.sound.Deaf++
	}
}

func (b *book) sounds() sound {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sound
}
