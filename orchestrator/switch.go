package orchestrator

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Switch is one PBX, spoken to by an adapter. Every implementation passes
// orchestrator/conformance.
//
// Contract of delivery: events of one leg come in order and at least once;
// none is dropped silently. An adapter whose bounded queue is about to
// overflow, whose heartbeat is missed or whose connection broke reports
// SwitchLost, reconnects, and reports SwitchSynced before anything else.
type Switch interface {
	// ID is the switch's name in the configuration.
	ID() SwitchID
	// Capabilities are what this switch can do; they do not change while
	// the adapter lives.
	Capabilities() Capabilities
	// Run keeps the connection until ctx ends and then returns nil. Any other
	// return is a fault of configuration that retrying cannot mend.
	Run(ctx context.Context) error
	// Events is the one ordered stream. The receiver must keep up; the
	// adapter never waits for it for long (see the contract above).
	Events() <-chan Event
	// Do carries out one action and reports the switch's answer. It waits at
	// most until ctx ends, then answers ResultNoWord. It is safe for
	// concurrent use; one lane's actions are sent one after another.
	Do(ctx context.Context, a Action) (CommandResult, string)
	// Resync asks for a fresh SwitchSynced on Events, after a command whose
	// fate is unknown or when a restored floor needs to compare.
	Resync()
}

// Snapshot is what a switch carries at one instant, as far as it concerns us.
type Snapshot struct {
	Legs      []SnapshotLeg
	Bridges   []SnapshotBridge
	Endpoints []SnapshotEndpoint
}

// SnapshotLeg is one leg that is ours (it has a stamp) or was offered to us
// and not claimed yet (it has none).
type SnapshotLeg struct {
	Leg      LegID
	Stamp    Stamp // zero: not claimed yet
	State    LegState
	Bridge   BridgeID // "" when alone
	Entry    Entry    // "" for legs we dialled
	Dialled  string
	Caller   Party
	Endpoint string
	Created  time.Time
	// Recordings run on the leg, where Capabilities.ListsRecordings. One that
	// was masked before a restart of ours may be of unknown state: masking it
	// then ends it.
	Recordings []RecordingID
	// Supervises is whose talk the leg listens to, "" when nobody's.
	Supervises LegID
	// Stream is where what it says is sent, "" when nowhere.
	Stream StreamID
}

// LegState is how far a leg has come.
type LegState string

// The leg states.
const (
	LegNew    LegState = "new"
	LegRings  LegState = "ringing"
	LegIsUp   LegState = "up"
	LegIsDown LegState = "ended"
)

// SnapshotBridge is one bridge of ours.
type SnapshotBridge struct {
	Bridge BridgeID
	Stamp  Stamp
	Legs   []LegID
}

// SnapshotEndpoint is one device.
type SnapshotEndpoint struct {
	Endpoint  string
	Reachable bool
	InUse     bool
}

// LegRole is a leg's part in its call.
type LegRole string

// The roles.
const (
	RoleCaller  LegRole = "caller"
	RoleAgent   LegRole = "agent"
	RoleService LegRole = "service" // an agent's feature-code call
	RoleLink    LegRole = "link"    // one end of a trunk between two of our switches
	RoleBridge  LegRole = "bridge"  // in the stamp of a bridge
)

// Stamp marks a leg or bridge on the switch as ours. It holds only slugs,
// UUIDs and switch-made leg ids, so it needs no encoding.
type Stamp struct {
	Tenant TenantID
	Call   CallID // "" for service legs
	Leg    LegID
	Role   LegRole
	Epoch  uint64
}

// String is the stamp as the switch stores it: "v1,tenant,call,leg,role,epoch".
func (s Stamp) String() string {
	return "v1," + string(s.Tenant) + "," + string(s.Call) + "," + string(s.Leg) + "," +
		string(s.Role) + "," + strconv.FormatUint(s.Epoch, 10)
}

// ParseStamp reads String's form; ok is false for anything else.
func ParseStamp(text string) (s Stamp, ok bool) {
	f := strings.Split(text, ",")
	if len(f) != 6 || f[0] != "v1" {
		return Stamp{}, false
	}
	epoch, err := strconv.ParseUint(f[5], 10, 64)
	if err != nil {
		return Stamp{}, false
	}
	return Stamp{
		Tenant: TenantID(f[1]), Call: CallID(f[2]), Leg: LegID(f[3]), Role: LegRole(f[4]), Epoch: epoch,
	}, true
}
