package cli

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"

	"ringmaster/api/gen"
)

// mixed is a centre with switches of every kind, without and with a password.
const mixed = `switches:
  - { id: a, name: A, type: asterisk, url: "http://127.0.0.1:8088/ari", username: rm }
  - { id: f, name: F, type: freeswitch, url: "esl://127.0.0.1:8021?domain=pbx.example" }
  - { id: s, name: S, type: simulated, url: "sim://here" }
  - { id: own, name: Own, type: freeswitch, url: "esl://127.0.0.2:8021?domain=pbx.example", password: its-own }
  - { id: later, name: Later, type: asterisk }
`

// Each kind of switch gets the password of its own variable, and no switch that
// of another kind: apply sends it to the server so, and doctor looks at the PBX
// with the same.
func TestPasswordsOfSwitchesComeFromTheEnvironment(t *testing.T) {
	const ari, esl = "password-of-ari", "password-of-esl"
	for name, c := range map[string]struct {
		ari, esl string
		want     map[string]string
	}{
		"both":        {ari, esl, map[string]string{"a": ari, "f": esl, "s": "", "own": "its-own", "later": ""}},
		"only of ARI": {ari, "", map[string]string{"a": ari, "f": "", "s": "", "own": "its-own", "later": ""}},
		"only of ESL": {"", esl, map[string]string{"a": "", "f": esl, "s": "", "own": "its-own", "later": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("RINGMASTER_ARI_PASSWORD", c.ari)
			t.Setenv("RINGMASTER_ESL_PASSWORD", c.esl)
			file := filepath.Join(t.TempDir(), "center.yaml")
			write(t, file, mixed)
			if got := passwordsApplied(t, file); !maps.Equal(got, c.want) {
				t.Errorf("apply sends %v, want %v", got, c.want)
			}
			f, err := readCenter(nil, file)
			if err != nil {
				t.Fatal(err)
			}
			all, _ := ofFile(f.Change)
			for _, p := range all {
				if p.password == "" || p.password != c.want[p.id] {
					t.Errorf("doctor looks at %s with %q, want %q", p.id, p.password, c.want[p.id])
				}
			}
		})
	}
}

// passwordsApplied is what apply sends to the server, by switch.
func passwordsApplied(t *testing.T, file string) map[string]string {
	t.Helper()
	sent := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var change gen.ConfigurationChange
		if err := json.NewDecoder(r.Body).Decode(&change); err != nil || change.Switches == nil {
			t.Errorf("%s: %+v, %v", r.URL.Path, change, err)
			return
		}
		for _, s := range *change.Switches {
			sent[s.ID] = s.Password
		}
		w.Write([]byte(`{"create":5,"change":0,"delete":0,"changes":[]}`))
	}))
	defer server.Close()
	if out, err := run(t, "", "apply", "--yes", "-f", file, "--url", server.URL, "--key", "rm_x"); err != nil {
		t.Fatal(err, out)
	}
	return sent
}

// doctor looks at a switch's trunks to the others, and knows who has one to it.
func TestDoctorKnowsTheLinks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "center.yaml")
	write(t, file, `switches:
  - { id: a, name: A, type: asterisk, url: "http://127.0.0.1:8088/ari", password: x, links: [{ to: f, trunk: PJSIP/to-f }] }
  - { id: f, name: F, type: freeswitch, url: "esl://127.0.0.1:8021?domain=pbx.example", password: x, links: [{ to: g, trunk: gateway/to-g }] }
  - { id: g, name: G, type: freeswitch, url: "esl://127.0.0.2:8021?domain=pbx.example", password: x }
`)
	f, err := readCenter(nil, file)
	if err != nil {
		t.Fatal(err)
	}
	all, found := ofFile(f.Change)
	if len(all) != 3 || len(found) != 0 {
		t.Fatal(all, found)
	}
	for i, want := range []patient{{links: []string{"PJSIP/to-f"}}, {links: []string{"gateway/to-g"}, linked: true}, {linked: true}} {
		if !slices.Equal(all[i].links, want.links) || all[i].linked != want.linked {
			t.Errorf("%s: %v, %v", all[i].id, all[i].links, all[i].linked)
		}
	}
}
