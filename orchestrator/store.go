package orchestrator

import (
	"context"
	"log/slog"
	"time"
)

// Store is the durable memory behind the floors: configuration, secrets and
// what the facts tell, ready to be asked. Every implementation passes
// orchestrator/conformance.
//
// No floor waits for it: facts reach it through the journal, after the event.
// Every method but FindKey is about one tenant and can neither see nor touch
// another's rows. All times are UTC with microsecond precision.
//
// Errors are *Error with the codes not_found, conflict, invalid and
// unavailable (the database is away or too slow; repeating is safe), or an
// unclassed error, which is internal.
type Store interface {
	ConfigStore
	SecretStore
	KeyStore
	FactStore
	History
}

// ConfigStore keeps what a floor is told to be.
type ConfigStore interface {
	// OpenTenant makes the tenant if it does not exist. It may be repeated.
	OpenTenant(ctx context.Context, tenant TenantID) error
	// LoadConfig returns the whole configuration, each list in the order of
	// its ids, and its version: 0 before the first Apply. An unknown tenant is
	// not_found.
	LoadConfig(ctx context.Context, tenant TenantID) (Config, uint64, error)
	// Apply adds or replaces the objects of change and removes those in its
	// Removed, all or nothing, with one audit entry. It checks names, not
	// sense: whoever calls it has validated the outcome. An object that is as
	// it was keeps its version, a changed queue or flow gets the next one, and
	// when nothing differs nothing is written. Removing what is not there is
	// not an error.
	Apply(ctx context.Context, tenant TenantID, change Config, how ApplyOptions) (Applied, error)
	// Changes returns the audit, newest first, of versions below before
	// (0: from the newest), at most limit (1 to 200).
	Changes(ctx context.Context, tenant TenantID, before uint64, limit int) ([]ConfigChange, error)
}

// ApplyOptions is how a change is applied.
type ApplyOptions struct {
	By string // who, for the audit: an API key's name or "command line"
	// Expected is the version the change was made from; any other current
	// version is a conflict. Nil does not ask.
	Expected *uint64
	// Settings says the change's Settings replace the stored ones. Otherwise
	// they are not read.
	Settings bool
}

// Applied is what Apply did.
type Applied struct {
	Version uint64
	// Change is what differs from before, with versions set: the ConfigChanged
	// event for the floor. Its Settings are always the ones now in force. It
	// has no objects and no removals when nothing differed; SettingsChanged
	// says the same of the settings.
	Change          Config
	SettingsChanged bool
}

// ConfigChange is one line of the configuration's audit.
type ConfigChange struct {
	Version  uint64
	At       time.Time
	By       string
	Change   Config
	Settings bool // the change replaced the settings
}

// SecretStore keeps what no export, log, fact or event may hold.
type SecretStore interface {
	// SetPIN replaces the agent's PIN, 4 to 12 digits; "" removes it.
	// Only a slow salted hash is stored.
	SetPIN(ctx context.Context, tenant TenantID, agent AgentID, pin string) error
	// CheckPIN reports whether pin is the agent's. An agent without a PIN has
	// none that is right. It is slow on purpose; limiting tries is the
	// caller's part.
	CheckPIN(ctx context.Context, tenant TenantID, agent AgentID, pin string) (bool, error)
	// PINs names the agents that have a PIN, in order.
	PINs(ctx context.Context, tenant TenantID) ([]AgentID, error)
	// SetSwitchAccess replaces how a switch is reached. The switch must be in
	// the configuration, and takes this along when it is removed.
	SetSwitchAccess(ctx context.Context, tenant TenantID, id SwitchID, access SwitchAccess) error
	// SwitchAccess is not_found until it was set.
	SwitchAccess(ctx context.Context, tenant TenantID, id SwitchID) (SwitchAccess, error)
}

// SwitchAccess is how a switch is reached and with which secret. It shows
// itself without the password wherever it is printed.
type SwitchAccess struct {
	URL      string // "http://127.0.0.1:8088/ari"
	User     string
	Password string `json:"-"`
}

// String leaves the password out.
func (a SwitchAccess) String() string { return a.User + " at " + a.URL }

// GoString is String, for %#v.
func (a SwitchAccess) GoString() string { return a.String() }

// LogValue is String, for slog.
func (a SwitchAccess) LogValue() slog.Value { return slog.StringValue(a.String()) }

// KeyStore keeps API keys: never the key, only its hash. Keys are long random
// strings, so the hash is a fast one and the API's choice.
type KeyStore interface {
	// CreateKey stores a new key. A prefix that exists is a conflict.
	CreateKey(ctx context.Context, key APIKey) error
	// FindKey returns the key with that prefix, of whichever tenant, revoked
	// ones included: the API compares the hash and says why it refuses.
	FindKey(ctx context.Context, prefix string) (APIKey, error)
	// Keys lists the tenant's keys, oldest first, without hashes.
	Keys(ctx context.Context, tenant TenantID) ([]APIKey, error)
	// RevokeKey ends a key for good. Revoking again changes nothing.
	RevokeKey(ctx context.Context, tenant TenantID, prefix string, at time.Time) error
	// UsedKey notes when a key was last used; the newest time stays.
	UsedKey(ctx context.Context, tenant TenantID, prefix string, at time.Time) error
}

// APIKey is one key of one tenant. Prefix is public, 8 to 32 of a-z and 0-9,
// and unique over all tenants.
type APIKey struct {
	Tenant  TenantID
	Prefix  string
	Hash    []byte
	Name    string
	Scopes  []string
	Created time.Time
	Used    time.Time // zero: never
	Revoked time.Time // zero: in force
}

// FactStore takes facts out of the journal into the database.
type FactStore interface {
	// Project stores the facts and everything derived from them, all or
	// nothing. They come in order (Seq, then Index), the facts of one Seq
	// together; those stored before are skipped, so any batch may be repeated.
	// A fact that cannot be stored is set aside with the reason instead of
	// holding up those behind it.
	Project(ctx context.Context, tenant TenantID, facts []Fact) (Projection, error)
	// Projected is the Seq of the last fact stored, 0 for none. A floor whose
	// journal is gone must go on after it, never begin again.
	Projected(ctx context.Context, tenant TenantID) (uint64, error)
}

// Projection is what became of one batch.
type Projection struct {
	Stored   int
	Skipped  int // stored before
	SetAside int // cannot be stored; kept with the reason for a person to look at
	Last     uint64
}

// History answers from what was projected. It lags the floor by the
// projector's delay: for now, ask the floor.
type History interface {
	// Calls returns one page, newest first.
	Calls(ctx context.Context, tenant TenantID, query CallQuery) (CallPage, error)
	// Call returns one call with all that belongs to it.
	Call(ctx context.Context, tenant TenantID, id CallID) (CallStory, error)
	// AgentIntervals returns the intervals that touch [From, To), in order of
	// their beginning; of one agent, or of all when Agent is "".
	AgentIntervals(ctx context.Context, tenant TenantID, query IntervalQuery) ([]AgentInterval, error)
	// StandingsAt returns what each agent of the queue, as it was configured
	// then, was doing at that moment, in the order of the queue's list.
	// A queue that did not exist then is not_found.
	StandingsAt(ctx context.Context, tenant TenantID, queue QueueID, when Moment) ([]Standing, error)
}

// CallState is whether a call is over.
type CallState string

// The call states.
const (
	CallOpen   CallState = "open"
	CallClosed CallState = "ended"
)

// CallQuery picks calls; every field narrows, zero values do not.
type CallQuery struct {
	From, To time.Time // arrived in [From, To)
	Queue    QueueID   // waited in it at least once
	Agent    AgentID   // talked to them at least once
	Outcome  Outcome   // either part may be empty
	Number   string    // the caller's or the dialled one, whole
	State    CallState
	Internal *bool  // dialled by one of our phones, or not
	Cursor   string // Next of the page before
	Limit    int    // 1 to 200; 0 is 50
}

// CallPage is one page of calls. Next is "" on the last one.
type CallPage struct {
	Calls []CallRecord
	Next  string
}

// CallRecord is one call: the CDR once Ended is set.
type CallRecord struct {
	ID          CallID
	Direction   CallDirection
	By          AgentID // internal: who dialled
	Switch      SwitchID
	Caller      Party
	Dialled     string
	Flow        FlowID
	FlowVersion uint64
	Arrived     time.Time
	Answered    time.Time // caller's leg; zero: never
	Connected   time.Time // first time with an agent; zero: never
	Lost        time.Time // last known to live, when its switch was lost with it; zero: it was not
	Ended       time.Time // zero: still open
	FirstQueue  QueueID
	LastQueue   QueueID
	FirstAgent  AgentID // of those who talked
	LastAgent   AgentID
	Offers      int
	Outcome     Outcome // once ended
	Times       Times   // once ended
}

// CallStory is one call leg by leg. Facts is its timeline, the first
// MaxStoryFacts of them; MoreFacts says there were more.
type CallStory struct {
	Call      CallRecord
	Legs      []LegRecord
	Visits    []VisitRecord
	Offers    []OfferRecord
	Facts     []Fact
	MoreFacts bool
}

// MaxStoryFacts bounds a call's timeline: a flow that loops must not fill the
// memory of whoever looks at it.
const MaxStoryFacts = 2000

// LegRecord is one leg of a call.
type LegRecord struct {
	ID       LegID
	Call     CallID
	Switch   SwitchID
	Role     LegRole
	Endpoint string
	Agent    AgentID
	SIPCall  string
	Started  time.Time
	Rang     time.Time // zero: never
	Answered time.Time // zero: never
	Ended    time.Time // zero: still there
	Held     Millis    // put on hold by its phone, in all
	Cause    int       // Q.850, once ended
	SIP      int
	By       EndedBy
}

// VisitRecord is one stay of a call in a queue.
type VisitRecord struct {
	Call     CallID
	Queue    QueueID
	Version  uint64 // of the queue
	Priority int
	Arrived  time.Time // what its place depended on
	Joined   time.Time
	Left     time.Time // zero: still waiting
	Reason   Reason    // once left
	Waited   Millis    // once left
}

// OfferRecord is one ring of one call at one agent.
type OfferRecord struct {
	ID        OfferID
	Call      CallID
	Queue     QueueID
	Agent     AgentID
	Phone     PhoneID
	Leg       LegID
	Made      time.Time
	RingUntil time.Time
	Ended     time.Time    // zero: rings
	Outcome   OfferOutcome // once ended
	Cause     int
	SIP       int
	Rang      Millis
	NotBefore time.Time
	Decision  Decision
	Seq       uint64 // of the OfferMade, for Moment
	Index     int
}

// IntervalQuery picks agent intervals.
type IntervalQuery struct {
	Agent    AgentID
	From, To time.Time
	Limit    int // 1 to 5000; 0 is 1000
}

// AgentInterval is a span an agent spent in one state.
type AgentInterval struct {
	Agent  AgentID
	State  AgentState
	Reason string // of a pause
	Phone  PhoneID
	Call   CallID
	Queue  QueueID
	From   time.Time
	To     time.Time // zero: still in it
}

// Moment is an instant, or the place just before a fact: an offer and the state
// it puts its agent into happen at the same instant, and what explains the
// offer is the state before.
type Moment struct {
	At    time.Time
	Seq   uint64 // of the fact; 0: everything at At has happened
	Index int
}

// Standing is what one agent of a queue was doing at an instant. An agent
// nobody heard of yet was logged out, since the zero time.
type Standing struct {
	AgentInterval
	Level int // in the queue
}
