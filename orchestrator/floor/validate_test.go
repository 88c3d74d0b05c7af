package floor_test

import (
	"encoding/json"
	"strings"
	"testing"
	_ "time/tzdata"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
)

const soundConfig = `{
	"settings": {"zone": "Europe/Zurich"},
	"hours": [{"id": "office", "zone": "Europe/Zurich", "weekly": [{"days": ["mon"], "from": "09:00", "to": "17:00"}]}],
	"agents": [{"id": "ana", "number": "1", "name": "Ana"}],
	"queues": [
		{"id": "sales", "name": "Sales", "agents": [{"agent": "ana"}], "overflow": {"queue": "all"}},
		{"id": "all", "name": "All", "agents": [{"agent": "ana"}], "overflow": {"flow": "late"}}
	],
	"flows": [
		{"id": "main", "start": "open", "nodes": {
			"open": {"type": "hours", "hours": "office", "on": {"open": "sales"}},
			"sales": {"type": "queue", "queue": "sales"}
		}},
		{"id": "late", "start": "sorry", "nodes": {
			"sorry": {"type": "play", "play": [{"say": "sorry"}], "on": {"next": "again"}},
			"again": {"type": "queue", "queue": "sales", "on": {"no_agents": "bye"}},
			"bye": {"type": "hangup"}
		}}
	]
}`

func TestWholeConfig(t *testing.T) {
	for _, c := range []struct{ old, new, field, says string }{
		{"", "", "", ""},
		{`"settings": {"zone": "Europe/Zurich"}`, `"settings": {"zone": "Mars"}`, "settings.zone", "no time zone"},
		{`"from": "09:00"`, `"from": "9"`, "hours[0].weekly[0].from", "time of day"},
		{`"hours": "office"`, `"hours": "shop"`, "flows[0].nodes.open.hours", "hours are: office"},
		{`"open": "sales"`, `"open": "sails"`, "flows[0].nodes.open.on.open", "nodes are: open, sales"},
		{`"start": "open", "nodes": {`, `"start": "open", "nodes": {"x": {"type": "hangup"},`, "flows[0].nodes.x", "no call can reach"},
		{`"overflow": {"flow": "late"}`, `"overflow": {"queue": "all"}`, "queues[1].overflow", "queue all -> queue all"},
		{`"overflow": {"flow": "late"}`, `"overflow": {"queue": "sales"}`, "queues[0].overflow", "queue sales -> queue all -> queue sales"},
		{
			`"overflow": {"flow": "late"}`, `"overflow": {"flow": "main"}`, "queues[0].overflow",
			"queue sales -> queue all -> flow main node open -> flow main node sales -> queue sales",
		},
	} {
		var config orchestrator.Config
		if err := json.Unmarshal([]byte(strings.Replace(soundConfig, c.old, c.new, 1)), &config); err != nil {
			t.Fatal(err)
		}
		found := floor.Validate(config)
		if c.field == "" {
			if len(found) > 0 {
				t.Fatalf("the sound one: %v", found)
			}
			continue
		}
		if len(found) != 1 || found[0].Field != c.field || !strings.Contains(found[0].Message, c.says) {
			t.Errorf("%s: got %v, want %s: …%s…", c.new, found, c.field, c.says)
		}
	}
}

// A loop that a queue only leads into is named by a queue that is in it.
func TestLoopNamesAQueueOfItsOwn(t *testing.T) {
	text := `{"queues": [
			{"id": "a", "name": "A", "overflow": {"flow": "f"}},
			{"id": "b", "name": "B", "overflow": {"flow": "f"}}
		], "flows": [{"id": "f", "start": "x", "nodes": {
			"x": {"type": "answer", "on": {"next": "y"}}, "y": {"type": "queue", "queue": "b"}}}]}`
	var config orchestrator.Config
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	found := floor.Validate(config)
	want := "queues[1].overflow: an endless loop while no agent is logged in: queue b -> flow f node x -> flow f node y -> queue b"
	if len(found) != 1 || found[0].Error() != want {
		t.Errorf("got  %v\nwant %s", found, want)
	}
}
