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

// switchStats is what every kind of adapter counts.
type switchStats struct {
	Connected, Superseded      bool
	Legs                       int
	Losses, Overloads, Unknown uint64
	CreateRate                 float64
}

// asteriskSwitch and freeswitchSwitch tell their counts alike.
type (
	asteriskSwitch   struct{ *asterisk.Switch }
	freeswitchSwitch struct{ *freeswitch.Switch }
)

func (s asteriskSwitch) stats() switchStats {
	n := s.Stats()
	return switchStats{Connected: n.Connected, Superseded: n.Superseded, Legs: n.Legs, Losses: n.Losses, Overloads: n.Overloads, Unknown: n.Unknown, CreateRate: n.CreateRate}
}

func (s freeswitchSwitch) stats() switchStats {
	n := s.Stats()
	return switchStats{Connected: n.Connected, Superseded: n.Superseded, Legs: n.Legs, Losses: n.Losses, Overloads: n.Overloads, Unknown: n.Unknown, CreateRate: n.CreateRate}
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
