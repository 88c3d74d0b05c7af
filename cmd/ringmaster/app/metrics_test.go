package app

import (
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"ringmaster/adapters/asterisk"
	"ringmaster/adapters/freeswitch"
)

// Whatever an adapter counts is in /metrics, each with words that say what it
// is: a counter that nobody can read is none.
func TestEveryCountOfAnAdapterIsExported(t *testing.T) {
	for kind, of := range map[string]func() (reflect.Value, func() switchStats){
		"asterisk": func() (reflect.Value, func() switchStats) {
			n := &asterisk.Stats{}
			return reflect.ValueOf(n).Elem(), func() switchStats { return asteriskStats(*n) }
		},
		"freeswitch": func() (reflect.Value, func() switchStats) {
			n := &freeswitch.Stats{}
			return reflect.ValueOf(n).Elem(), func() switchStats { return freeswitchStats(*n) }
		},
	} {
		fields, stats := of()
		want := map[string]float64{}
		for i := range fields.NumField() {
			if f := fields.Field(i); f.Kind() == reflect.Uint64 {
				f.SetUint(uint64(1000 + i)) // A value of its own.
				want[fields.Type().Field(i).Name] = float64(1000 + i)
			}
		}
		told, names := map[float64]string{}, []string{}
		tellSwitch(stats(), "pbx", func(name, help string, kind prometheus.ValueType, v float64, id string) {
			if !regexp.MustCompile(`^ringmaster_switch_[a-z_]+$`).MatchString(name) || help == "" || id != "pbx" {
				t.Errorf("%s %q of %s", name, help, id)
			}
			if slices.Contains(names, name) || (kind == prometheus.CounterValue) != regexp.MustCompile("_total$").MatchString(name) {
				t.Errorf("%s is told twice, or is of the wrong kind", name)
			}
			names = append(names, name)
			told[v] = name
		})
		for field, v := range want {
			if told[v] == "" {
				t.Errorf("%s: Stats.%s is not exported", kind, field)
			}
		}
		if len(want) < 8 {
			t.Errorf("%s counts only %v", kind, want)
		}
	}
}
