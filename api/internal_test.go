package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"golang.org/x/time/rate"
	"pgregory.net/rapid"

	"ringmaster/orchestrator"
)

// TestObjectsComeBackFromTheAPIAsTheyWent maps random objects there and back.
func TestObjectsComeBackFromTheAPIAsTheyWent(t *testing.T) {
	t.Run("switches", roundTrip(switchSection))
	t.Run("phones", roundTrip(phoneSection))
	t.Run("agents", roundTrip(agentSection))
	t.Run("hours", roundTrip(hoursSection))
	t.Run("queues", roundTrip(queueSection))
	t.Run("flows", roundTrip(flowSection))
	t.Run("numbers", roundTrip(numberSection))
	t.Run("settings", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			d := rapid.Make[orchestrator.Settings]().Draw(t, "settings")
			same(t, d, settingsFromAPI(settingsToAPI(d)))
		})
	})
}

// TestCapabilitiesAreShownAsTheyAre: on the wire they are what the port has,
// field by field.
func TestCapabilitiesAreShownAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		can := rapid.Make[orchestrator.Capabilities]().Draw(t, "capabilities")
		can.Kind = "asterisk"
		var port, shown map[string]any
		for into, what := range map[*map[string]any]any{&port: can, &shown: capabilitiesToAPI(can)} {
			text, err := json.Marshal(what)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, into); err != nil {
				t.Fatal(err)
			}
		}
		same(t, port, shown)
	})
}

func roundTrip[D, A any](sec section[D, A]) func(*testing.T) {
	return func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			d := rapid.Make[D]().Draw(t, sec.one)
			shown := sec.show(d)
			same(t, d, sec.read(shown))
			var over A // and over the wire
			text, err := json.Marshal(shown)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &over); err != nil {
				t.Fatal(err)
			}
			same(t, sec.read(shown), sec.read(over))
		})
	}
}

// same compares as JSON: absent and empty lists mean the same in a
// configuration.
func same(t *rapid.T, want, got any) {
	t.Helper()
	a, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if squash(a) != squash(b) {
		t.Fatalf("sent %s\n got %s", a, b)
	}
}

func squash(text []byte) string {
	return strings.NewReplacer(`:null`, `:[]`, `:{}`, `:[]`).Replace(string(text))
}

// TestEveryFieldOfTheConfigurationIsInTheAPI fills every field and looks
// whether one was forgotten on the way.
func TestEveryFieldOfTheConfigurationIsInTheAPI(t *testing.T) {
	for name, back := range map[string]any{
		"switch": switchFromAPI(switchToAPI(full[orchestrator.PBX]())), "phone": phoneFromAPI(phoneToAPI(full[orchestrator.Phone]())),
		"agent": agentFromAPI(agentToAPI(full[orchestrator.Agent]())), "hours": hoursFromAPI(hoursToAPI(full[orchestrator.Hours]())),
		"queue": queueFromAPI(queueToAPI(full[orchestrator.Queue]())), "flow": flowFromAPI(flowToAPI(full[orchestrator.Flow]())),
		"number":   numberFromAPI(numberToAPI(full[orchestrator.Number]())),
		"settings": settingsFromAPI(settingsToAPI(full[orchestrator.Settings]())),
	} {
		if field := zeroField(reflect.ValueOf(back)); field != "" {
			t.Errorf("%s loses %s on its way through the API", name, field)
		}
	}
}

// full is a value with nothing left zero.
func full[T any]() T {
	var v T
	fillValue(reflect.ValueOf(&v).Elem())
	return v
}

func fillValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fillValue(field)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillValue(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		one := reflect.New(v.Type().Elem()).Elem()
		fillValue(one)
		v.SetMapIndex(reflect.ValueOf("k").Convert(v.Type().Key()), one)
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint64:
		v.SetUint(1)
	default:
		panic("no value for " + v.Kind().String())
	}
}

func zeroField(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				return v.Type().Field(i).Name
			}
			if inside := zeroField(v.Field(i)); inside != "" {
				return v.Type().Field(i).Name + "." + inside
			}
		}
	case reflect.Slice:
		if v.Len() == 0 {
			return "[]"
		}
		return zeroField(v.Index(0))
	case reflect.Map:
		for _, k := range v.MapKeys() {
			return zeroField(v.MapIndex(k))
		}
		return "{}"
	}
	return ""
}

// TestThePublicWordsAreTheFloorsWords holds the closed sets of openapi.yaml
// against those of the floor.
func TestThePublicWordsAreTheFloorsWords(t *testing.T) {
	spec, err := Spec()
	if err != nil {
		t.Fatal(err)
	}
	enum := func(schema string) string { return words(spec.Components.Schemas[schema].Value.Enum) }
	if got, want := enum("Scope"), words(anyOf(scopes)); got != want {
		t.Errorf("scopes are %s, openapi.yaml says %s", want, got)
	}
	codes := make([]any, 0, len(problems))
	for code := range problems {
		codes = append(codes, string(code))
	}
	said := spec.Components.Schemas["Problem"].Value.Properties["code"].Value.Enum
	if len(codes) != len(said) {
		t.Errorf("%d codes are mapped, openapi.yaml lists %d", len(codes), len(said))
	}
	for _, c := range said {
		if _, ok := problems[orchestrator.Code(c.(string))]; !ok {
			t.Errorf("code %v is in openapi.yaml and has no status", c)
		}
	}
}

func anyOf[S ~string](in []S) []any {
	out := make([]any, 0, len(in))
	for _, s := range in {
		out = append(out, string(s))
	}
	return out
}

func words(in []any) string {
	var b strings.Builder
	for _, v := range in {
		b.WriteString(v.(string) + " ")
	}
	return b.String()
}

// TestEveryFieldIsDescribed: the API page is documentation, not a list.
func TestEveryFieldIsDescribed(t *testing.T) {
	spec, err := Spec()
	if err != nil {
		t.Fatal(err)
	}
	for name, ref := range spec.Components.Schemas {
		if ref.Value.Description == "" {
			t.Errorf("schema %s has no description", name)
		}
		if strings.HasSuffix(name, "Page") || strings.HasSuffix(name, "List") || name == "Configuration" || name == "ConfigurationChange" {
			continue // lists of what is described
		}
		for field, p := range ref.Value.Properties {
			if p.Ref == "" && p.Value.Description == "" && p.Value.Type.Permits(openapi3.TypeString) {
				t.Errorf("%s.%s has no description", name, field)
			}
			if strings.HasPrefix(field, "ms_") || p.Value.Type.Permits(openapi3.TypeInteger) && strings.HasSuffix(field, "_seconds") {
				t.Errorf("%s.%s: units are milliseconds and stand last", name, field)
			}
		}
	}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s needs a summary and one tag", method, path)
			}
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(encodeCursor("sales"))
	f.Add("MTo")
	f.Add("MTr_")
	f.Fuzz(func(t *testing.T, cursor string) {
		id, err := decodeCursor(cursor)
		if err != nil || id == "" {
			return
		}
		if encodeCursor(id) != cursor {
			t.Errorf("cursor %q is not the one of %q", cursor, id)
		}
	})
}

func FuzzPlace(f *testing.F) {
	for _, id := range []string{"", "0", "1.0", "9223372036854775807.2147483647", "1.", ".1", "+1", "1.0.0"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		p, ok := parsePlace(id)
		if !ok {
			return
		}
		if next := (orchestrator.Fact{Seq: p.seq + 1}); p.knows(next) || p.after() > p.seq {
			t.Errorf("after %q the next input's facts are skipped", id)
		}
		if !p.whole && p.knows(orchestrator.Fact{Seq: p.seq, Index: p.index + 1}) {
			t.Errorf("after %q the next fact is skipped", id)
		}
		if !p.knows(orchestrator.Fact{Seq: p.seq, Index: p.index}) {
			t.Errorf("after %q the same fact comes again", id)
		}
	})
}

func FuzzPrefix(f *testing.F) {
	f.Add("rm_aaaaaaaa_bbbb")
	f.Add("rm__")
	f.Fuzz(func(t *testing.T, key string) {
		prefix, ok := prefixOf(key)
		if ok && (len(prefix) < 8 || strings.ContainsAny(prefix, "_ '\"\x00") || !strings.HasPrefix(key, "rm_"+prefix+"_")) {
			t.Errorf("prefixOf(%q) = %q", key, prefix)
		}
	})
}

func TestALimiterStaysBounded(t *testing.T) {
	now := time.Now()
	l := newLimiter(rate.Every(time.Hour), 1)
	for i := range 3 * maxLimited {
		l.take(string(rune(i)), now)
		if len(l.buckets) > maxLimited {
			t.Fatalf("%d buckets", len(l.buckets))
		}
	}
}

func TestEveryFactOfACallHasItsOwnSentence(t *testing.T) {
	for _, d := range []orchestrator.Deed{
		orchestrator.CallArrived{},
		orchestrator.NodeEntered{},
		orchestrator.DigitTaken{},
		orchestrator.MenuDecided{},
		orchestrator.PlayStarted{},
		orchestrator.PlayEnded{},
		orchestrator.MusicStarted{},
		orchestrator.MusicStopped{},
		orchestrator.CallQueued{},
		orchestrator.CallLeftQueue{},
		orchestrator.CallConnected{},
		orchestrator.CallReleased{},
		orchestrator.CallEnding{},
		orchestrator.CallEnded{},
		orchestrator.LegStarted{},
		orchestrator.LegRang{},
		orchestrator.LegAnswered{},
		orchestrator.LegJoined{},
		orchestrator.LegSeparated{},
		orchestrator.LegHeld{},
		orchestrator.LegResumed{},
		orchestrator.LegClosed{},
		orchestrator.OfferMade{},
		orchestrator.OfferEnded{},
	} {
		e, err := tell(orchestrator.Fact{What: d}, time.Time{}, func(id orchestrator.AgentID) string { return string(id) })
		if err != nil || e.Text == strings.ReplaceAll(e.Fact, "_", " ") {
			t.Errorf("%s is told as %q (%v)", e.Fact, e.Text, err)
		}
	}
}
