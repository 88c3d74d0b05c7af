package floor

import (
	o "ringmaster/orchestrator"
)

// adopt takes a leg the floor does not know. One that was never claimed is a
// caller who arrived while nobody listened. One with our stamp is from a past
// the journal does not hold: people who talk are left alone, a caller who is
// alone starts again, anything else ends.
func (f *Floor) adopt(sw o.SwitchID, s o.SnapshotLeg) {
	switch {
	case s.State == o.LegIsDown:
	case s.Bridge != "" && s.Stamp.Role != "":
		f.emit(o.Healed{Leg: s.Leg, Bridge: string(s.Bridge), Repair: "left talking: unknown here"})
	case s.Entry == o.EntryIn:
		f.legOffered(o.LegOffered{
			Switch: sw, Leg: s.Leg, Entry: s.Entry, Dialled: s.Dialled, Caller: s.Caller, Endpoint: s.Endpoint,
		})
		if s.State == o.LegIsUp {
			f.legUp(s.Leg)
		}
	case (s.Entry == o.EntryAgent || s.Entry == o.EntryLink) && s.Stamp == (o.Stamp{}):
		f.legOffered(o.LegOffered{
			Switch: sw, Leg: s.Leg, Entry: s.Entry, Dialled: s.Dialled, Caller: s.Caller, Endpoint: s.Endpoint,
		})
	default:
		f.emit(o.Healed{Leg: s.Leg, Repair: "hung up: unknown here"})
		f.command(sw, string(s.Leg), o.Hangup{Leg: s.Leg, Cause: o.CauseNormal})
	}
}
