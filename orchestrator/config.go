package orchestrator

import "time"

// Millis is a duration in whole milliseconds, the unit of every duration in
// JSON, SQL and configuration files. Zero means what the field says it means.
type Millis int64

// Duration converts to the standard type.
func (m Millis) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// MillisOf rounds d to the nearest millisecond.
func MillisOf(d time.Duration) Millis { return Millis(d.Round(time.Millisecond) / time.Millisecond) }

// Config is everything a floor is told to be. It reaches the floor as
// ConfigChanged events, object by object; a call keeps the version of the flow
// and queue it entered with.
type Config struct {
	Settings Settings  `json:"settings"`
	Switches []PBX     `json:"switches,omitempty"`
	Phones   []Phone   `json:"phones,omitempty"`
	Agents   []Agent   `json:"agents,omitempty"`
	Hours    []Hours   `json:"hours,omitempty"`
	Queues   []Queue   `json:"queues,omitempty"`
	Flows    []Flow    `json:"flows,omitempty"`
	Numbers  []Number  `json:"numbers,omitempty"`
	Removed  []Removal `json:"removed,omitempty"`
}

// Removal names one object that is gone.
type Removal struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
}

// Kind is a kind of configuration object.
type Kind string

// The kinds, in the order in which they depend on each other.
const (
	KindSwitch Kind = "switch"
	KindPhone  Kind = "phone"
	KindAgent  Kind = "agent"
	KindHours  Kind = "hours"
	KindQueue  Kind = "queue"
	KindFlow   Kind = "flow"
	KindNumber Kind = "number"
)

// Settings are the tenant's own.
type Settings struct {
	Language     string        `json:"language,omitempty"`      // of spoken prompts, BCP 47; "" is "en"
	Zone         string        `json:"zone,omitempty"`          // IANA; where "today" begins; "" is UTC
	FeatureCodes FeatureCodes  `json:"feature_codes"`           // what agents dial; zero fields take the defaults
	PauseReasons []PauseReason `json:"pause_reasons,omitempty"` // empty: pauses carry no reason
	// Unknown is where a call to an unmapped number goes: a flow, or "" to
	// give the call back to the dialplan's fallback.
	Unknown FlowID `json:"unknown_number_flow,omitempty"`
}

// FeatureCodes are dialled by agents from their phones. Each code does one
// thing and does it again without harm: no toggles, because a toggle goes
// wrong whenever the phone and the floor disagree about the state.
type FeatureCodes struct {
	Login      string `json:"login,omitempty"`        // default *11, then agent number #, PIN #
	Logout     string `json:"logout,omitempty"`       // default *12
	Ready      string `json:"ready,omitempty"`        // default *21
	Pause      string `json:"pause,omitempty"`        // default *22, then the reason's digit
	WrapUpDone string `json:"wrap_up_done,omitempty"` // default *31
}

// PauseReason is why an agent takes no calls. Digit is what the agent dials
// after the pause code.
type PauseReason struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Digit string `json:"digit"`
}

// PBX is a switch as the configuration knows it. Secrets stay out of the
// floor: the adapter reads them from the store.
type PBX struct {
	ID   SwitchID `json:"id"`
	Type string   `json:"type"` // "asterisk", "freeswitch", "simulated"
	Name string   `json:"name,omitempty"`
	// Links are the trunks to other switches of ours: over them a call that
	// arrives here reaches agents whose phones are registered there. Without
	// one they are not offered this switch's calls.
	Links []Link `json:"links,omitempty"`
}

// Link is a SIP trunk from one switch of ours to another. Trunk is the
// endpoint through which its own switch dials; there, the call must arrive in
// the context for links (see dialplans/).
type Link struct {
	To    SwitchID `json:"to"`
	Trunk string   `json:"trunk"`
}

// Phone is a device on a switch. Endpoint is the switch's own name for it
// ("PJSIP/1001", "user/1001"); the pair (Switch, Endpoint) is unique.
type Phone struct {
	ID         PhoneID  `json:"id"`
	Switch     SwitchID `json:"switch"`
	Endpoint   string   `json:"endpoint"`
	AutoAnswer bool     `json:"auto_answer,omitempty"` // ask the phone to answer by itself
}

// Agent is a person. Number is what they dial to log in; the PIN is checked
// outside the floor and never seen by it.
type Agent struct {
	ID     AgentID        `json:"id"`
	Number string         `json:"number"`
	Name   string         `json:"name"`
	Skills map[string]int `json:"skills,omitempty"` // level 1 to 100
}

// Hours are opening hours in one zone.
type Hours struct {
	ID       HoursID   `json:"id"`
	Zone     string    `json:"zone"` // IANA, "Europe/Berlin"
	Weekly   []Opening `json:"weekly"`
	Holidays []Holiday `json:"holidays,omitempty"`
}

// Opening is one span on given weekdays, local wall-clock time.
type Opening struct {
	Days []string `json:"days"` // "mon" … "sun"
	From string   `json:"from"` // "09:00"
	To   string   `json:"to"`   // "17:30"; "24:00" is midnight; before From means past midnight
}

// Holiday replaces the weekly hours of one date. No Open means closed.
type Holiday struct {
	Date string    `json:"date"` // "2026-12-25"
	Name string    `json:"name,omitempty"`
	Open []Opening `json:"open,omitempty"` // Days is not read
}

// Number maps a dialled number to the flow its calls enter. Dialled is matched
// whole after the switch's own normalisation.
type Number struct {
	Dialled string `json:"dialled"`
	Flow    FlowID `json:"flow"`
	Name    string `json:"name,omitempty"`
}

// Strategy names the order in which a queue prefers its free agents.
type Strategy string

// LongestIdle prefers the agent who has been without a call the longest: since
// the end of the last call's wrap-up, or since log-in. Pauses do not reset it.
const LongestIdle Strategy = "longest_idle"

// Queue is calls waiting for one of a set of agents.
type Queue struct {
	ID       QueueID      `json:"id"`
	Name     string       `json:"name"`
	Version  uint64       `json:"version"` // set by the store, grows with every change
	Strategy Strategy     `json:"strategy,omitempty"`
	Agents   []QueueAgent `json:"agents,omitempty"`
	Skills   []SkillNeed  `json:"skills,omitempty"` // what every call here requires
	Priority int          `json:"priority,omitempty"`

	RingTimeout Millis `json:"ring_timeout_ms,omitempty"` // default 20 s, 3 s to 120 s
	WrapUp      Millis `json:"wrap_up_ms,omitempty"`      // 0: none
	MaxWait     Millis `json:"max_wait_ms,omitempty"`     // 0: for ever
	Overflow    Target `json:"overflow"`                  // where max wait and no agents lead

	Music    string   `json:"music,omitempty"` // the switch's music class; "" its default
	Announce Announce `json:"announce"`

	ServiceLevel Millis `json:"service_level_ms,omitempty"` // answered within; default 20 s
	ShortAbandon Millis `json:"short_abandon_ms,omitempty"` // abandons before this do not count

	// Delays before the agent is offered another call, by how the offer ended.
	BusyDelay        Millis `json:"busy_delay_ms,omitempty"`        // default 10 s
	RejectDelay      Millis `json:"reject_delay_ms,omitempty"`      // default 10 s
	NoAnswerDelay    Millis `json:"no_answer_delay_ms,omitempty"`   // default 10 s
	UnreachableDelay Millis `json:"unreachable_delay_ms,omitempty"` // default 5 s
	// MaxMisses pauses the agent (reason "missed_calls") after that many
	// offers in a row that were not answered; 0 never does.
	MaxMisses int `json:"max_misses,omitempty"`
}

// QueueAgent is an agent's place in a queue: lower levels are asked first.
type QueueAgent struct {
	Agent AgentID `json:"agent"`
	Level int     `json:"level,omitempty"`
}

// SkillNeed is a skill a call requires of an agent, at that level or better.
type SkillNeed struct {
	Skill string `json:"skill"`
	Level int    `json:"level"`
}

// Announce is what a waiting caller hears besides the music.
type Announce struct {
	First Millis  `json:"first_ms,omitempty"` // after joining
	Every Millis  `json:"every_ms,omitempty"` // from the end of one to the start of the next; 0: only once
	Play  []Media `json:"play,omitempty"`     // empty: no announcement
}

// Target is where a call goes next: exactly one field is set, or none, which
// means hang up.
type Target struct {
	Queue QueueID `json:"queue,omitempty"`
	Flow  FlowID  `json:"flow,omitempty"`
}

// Media is one thing to be heard; exactly one of Say, Sound and File is set.
type Media struct {
	Say      string `json:"say,omitempty"`      // words to be spoken
	Language string `json:"language,omitempty"` // of Say; "" is the tenant's
	Sound    string `json:"sound,omitempty"`    // a sound the switch has, by its name there
	File     string `json:"file,omitempty"`     // an absolute path on the switch, without extension
}
