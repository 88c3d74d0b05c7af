package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"ringmaster/adapters/asterisk"
	"ringmaster/adapters/freeswitch"
	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// able is what each kind of PBX can do, by its folder in dialplans.
var able = map[string]orchestrator.Capabilities{"asterisk": asterisk.Capable(), "freeswitch": freeswitch.Capable()}

// capabilities are a switch's by their names in JSON, but for what it is.
func capabilities(t *testing.T, can any) map[string]any {
	t.Helper()
	text, err := json.Marshal(can)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	delete(all, "kind")
	delete(all, "version")
	return all
}

// TestAdminsReadWhatAPBXCannotDo holds the table in each dialplan's README to
// what the adapter declares, in doctor's words, row by row.
func TestAdminsReadWhatAPBXCannotDo(t *testing.T) {
	for folder, can := range able {
		readme, err := os.ReadFile(filepath.Join("../../../dialplans", folder, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		lacks := map[string]bool{}
		for _, l := range can.Lacks() {
			lacks[l.Capability] = true
		}
		want := "| Capability | Here | What it means where it is missing |\n|---|---|---|\n"
		for _, l := range (orchestrator.Capabilities{JoinGap: 1}).Lacks() { // all there are
			here := "yes"
			switch {
			case lacks[l.Capability] && l.Capability == "join_gap_ms":
				here = can.JoinGap.Duration().String()
			case lacks[l.Capability]:
				here = "**no**"
			case l.Capability == "join_gap_ms":
				here = "none"
			}
			want += "| `" + l.Capability + "` | " + here + " | " + l.Means + " |\n"
		}
		if !strings.Contains(string(readme), want) {
			t.Errorf("dialplans/%s/README.md must have this table:\n%s", folder, want)
		}
	}
}

// TestDoctorTellsWhatAPBXCannotDo: a note, not a warning, for everything a PBX
// lacks, and for nothing that it has.
func TestDoctorTellsWhatAPBXCannotDo(t *testing.T) {
	for folder, can := range able {
		told := map[string]bool{}
		for _, f := range lacking(can) {
			if f.Severity != orchestrator.SeverityNote || f.Found == "" {
				t.Errorf("%s: %+v, want a note in words", folder, f)
			}
			told[strings.TrimPrefix(f.What, "cannot ")] = true
		}
		all := capabilities(t, can)
		for name, value := range all {
			lacks := value == false || name == "join_gap_ms" && value != 0.0
			if told[name] != lacks {
				t.Errorf("%s has %s: %v, and doctor tells that it lacks it: %v", folder, name, value, told[name])
			}
		}
	}
}

// TestTheAPIHasEveryCapability holds the API's object to the port's, field by
// field.
func TestTheAPIHasEveryCapability(t *testing.T) {
	names := func(kind reflect.Type) map[string]bool {
		all := map[string]bool{}
		for field := range kind.Fields() {
			all[field.Tag.Get("json")] = true
		}
		return all
	}
	port, api := names(reflect.TypeFor[orchestrator.Capabilities]()), names(reflect.TypeFor[gen.Capabilities]())
	if !reflect.DeepEqual(port, api) {
		t.Errorf("the port has %v, the API %v", port, api)
	}
}
