package app

import (
	"context"
	"encoding/json"
	"os"

	"ringmaster/orchestrator"
)

// wanted is a switch to be kept connected: all it takes to reach it. It is also
// kept in a file that only we may read, because the journal holds no secrets
// and a start without the database needs them.
type wanted struct {
	ID        orchestrator.SwitchID `json:"id"`
	Kind      string                `json:"type"`
	URL       string                `json:"url"`
	User      string                `json:"user"`
	Password  string                `json:"password"`
	Endpoints []string              `json:"endpoints"`
	Numbers   []string              `json:"numbers,omitempty"` // the tenant's, on whatever switch
}

func (w wanted) access() orchestrator.SwitchAccess {
	return orchestrator.SwitchAccess{URL: w.URL, User: w.User, Password: w.Password}
}

// lookUp asks the store which switches there are.
func (b *switchboard) lookUp(ctx context.Context) ([]wanted, error) {
	config, _, err := b.store.LoadConfig(ctx, b.tenant)
	if err != nil {
		return nil, err
	}
	endpoints := map[orchestrator.SwitchID][]string{}
	for _, p := range config.Phones {
		endpoints[p.Switch] = append(endpoints[p.Switch], p.Endpoint)
	}
	numbers := make([]string, len(config.Numbers))
	for i, n := range config.Numbers {
		numbers[i] = n.Dialled
	}
	all := make([]wanted, 0, len(config.Switches))
	for _, pbx := range config.Switches {
		access, err := b.store.SwitchAccess(ctx, b.tenant, pbx.ID)
		if orchestrator.CodeOf(err) == orchestrator.CodeNotFound {
			continue // not told yet how to reach it
		}
		if err != nil {
			return nil, err
		}
		all = append(all, wanted{
			ID: pbx.ID, Kind: pbx.Type, URL: access.URL, User: access.User, Password: access.Password, Endpoints: endpoints[pbx.ID],
			Numbers: numbers,
		})
	}
	return all, nil
}

// remember writes down what the store said, if it is news.
func (b *switchboard) remember(all []wanted) {
	text, err := json.Marshal(all) //nolint:gosec // nobody else may read the file
	if err == nil {
		if old, readErr := os.ReadFile(b.cache); readErr == nil && string(old) == string(text) {
			return
		}
		err = writeDurably(b.cache, text)
	}
	if err != nil {
		b.log.Error("write down how switches are reached", "cause", err)
	}
}

// recall is what remember wrote last; nil when there is nothing to read.
func (b *switchboard) recall() (all []wanted) {
	text, err := os.ReadFile(b.cache)
	if err != nil {
		return nil
	}
	if err := json.Unmarshal(text, &all); err != nil {
		b.log.Error("read how switches are reached", "cause", err)
		return nil
	}
	return all
}
