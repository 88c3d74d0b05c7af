package app

import (
	"fmt"

	"ringmaster/adapters/asterisk"
	"ringmaster/adapters/freeswitch"
	"ringmaster/orchestrator"
)

// adapter is a switch as the switchboard drives it, whatever its kind.
type adapter interface {
	orchestrator.Switch
	// Watch replaces the list of endpoints that are looked after.
	Watch(endpoints []string)
	stats() switchStats
}

// switchStats is what an adapter knows of itself. Counts are those of its kind,
// which only grow.
type switchStats struct {
	Connected, Superseded bool
	Legs                  int
	CreateRate            float64
	Counts                []count
}

// count is one figure for /metrics.
type count struct {
	name, help string
	n          uint64
}

// asteriskSwitch and freeswitchSwitch tell their counts alike.
type (
	asteriskSwitch   struct{ *asterisk.Switch }
	freeswitchSwitch struct{ *freeswitch.Switch }
)

func (s asteriskSwitch) stats() switchStats { return asteriskStats(s.Stats()) }

func (s freeswitchSwitch) stats() switchStats { return freeswitchStats(s.Stats()) }

func asteriskStats(n asterisk.Stats) switchStats {
	return switchStats{
		Connected: n.Connected, Superseded: n.Superseded, Legs: n.Legs, CreateRate: n.CreateRate,
		Counts: append(shared(n.Sessions, n.Losses, n.Overloads, n.Unknown, n.Garbled, n.HealedEnds, n.ChoresLost),
			count{"orphans_shut", "Empty bridges that were left behind and removed.", n.OrphansShut}),
	}
}

func freeswitchStats(n freeswitch.Stats) switchStats {
	return switchStats{
		Connected: n.Connected, Superseded: n.Superseded, Legs: n.Legs, CreateRate: n.CreateRate,
		Counts: append(shared(n.Sessions, n.Losses, n.Overloads, n.Unknown, n.Garbled, n.HealedEnds, n.ChoresLost),
			count{"redials", "Command connections opened again.", n.Redials},
			count{"misspelt_dials", "Dials refused as FreeSWITCH refuses what it cannot read.", n.Misspelt},
			count{"late_events", "Events of a leg that came after newer ones.", n.Late}),
	}
}

// shared are the counts that every kind of adapter has.
func shared(sessions, losses, overloads, unknown, garbled, healed, chores uint64) []count {
	return []count{
		{"sessions", "Times the switch was read after connecting.", sessions},
		{"losses", "Times the switch was lost.", losses},
		{"overloads", "Dials turned away by the rate cap.", overloads},
		{"unknown_events", "Events nothing is done about.", unknown},
		{"garbled_events", "Events that could not be read.", garbled},
		{"healed_ends", "Ends of legs that no event told and that were found by asking.", healed},
		{"chores_lost", "Orders of the adapter itself that were skipped because too many waited.", chores},
	}
}

// newAdapter makes the adapter that reaches a switch.
func (b *switchboard) newAdapter(w wanted) (adapter, error) {
	log := b.log.With("switch", string(w.ID))
	switch w.Kind {
	case "asterisk":
		sw, err := asterisk.New(asterisk.Config{
			ID: w.ID, URL: w.URL, User: w.User, Password: w.Password, Endpoints: w.Endpoints, Epoch: b.epoch, May: b.may, Log: log,
		})
		return asteriskSwitch{sw}, err
	case "freeswitch":
		cfg, err := freeswitch.ReadURL(w.URL)
		if err != nil {
			return nil, err
		}
		cfg.ID, cfg.User, cfg.Password, cfg.Endpoints, cfg.Epoch, cfg.May, cfg.Log = w.ID, w.User, w.Password, w.Endpoints, b.epoch, b.may, log
		sw, err := freeswitch.New(cfg)
		return freeswitchSwitch{sw}, err
	}
	return nil, fmt.Errorf("switch %s: no adapter for type %q", w.ID, w.Kind)
}
