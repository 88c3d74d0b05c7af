package orchestrator_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ringmaster/orchestrator"
)

// RFC 9562 section 5.7: 48 bits of Unix milliseconds, version 7, variant 10.
func TestMintedIdsAreUUIDv7(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(0, 1<<48-1).Draw(rt, "ms")).UTC()
		m := orchestrator.Minter{Space: rapid.Uint64().Draw(rt, "space")}
		seq, n := rapid.Uint64().Draw(rt, "seq"), rapid.Uint64().Draw(rt, "n")
		text := m.Mint(at, seq, n)
		id, err := uuid.Parse(text)
		if err != nil {
			rt.Fatalf("%s: %v", text, err)
		}
		if id.Version() != 7 || id.Variant() != uuid.RFC4122 || id.String() != text {
			rt.Fatalf("%s: version %d, variant %s, canonical %s", text, id.Version(), id.Variant(), id)
		}
		var ms int64
		for _, b := range id[:6] {
			ms = ms<<8 | int64(b)
		}
		if ms != at.UnixMilli() {
			rt.Fatalf("%s is of %d ms, want %d", text, ms, at.UnixMilli())
		}
		if again := m.Mint(at, seq, n); again != text {
			rt.Fatalf("minted again it is %s, was %s", again, text)
		}
	})
}

func TestMintedIdsDiffer(t *testing.T) {
	at := time.UnixMilli(1_800_000_000_000)
	seen := map[string]bool{}
	for space := range uint64(4) {
		m := orchestrator.Minter{Space: space}
		for seq := range uint64(1000) {
			for n := range uint64(20) {
				id := m.Mint(at, seq, n)
				if seen[id] {
					t.Fatalf("%s is minted twice", id)
				}
				seen[id] = true
			}
		}
	}
	first := orchestrator.Minter{}.Mint(at, 2, 2)
	if later := (orchestrator.Minter{}).Mint(at.Add(time.Millisecond), 1, 1); later <= first {
		t.Errorf("%s of a later millisecond sorts before %s", later, first)
	}
}

func TestValidSlug(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	for _, s := range []string{"", "a", "9", "-a", "_a", "a-_9", "A", "ä", "a b", "a\n", strings.Repeat("a", 63), strings.Repeat("a", 64)} {
		if orchestrator.ValidSlug(s) != form.MatchString(s) {
			t.Errorf("%q: %v", s, orchestrator.ValidSlug(s))
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.StringMatching(`[a-cXYZ0-2_\- ]{0,4}`).Draw(rt, "slug")
		if orchestrator.ValidSlug(s) != form.MatchString(s) {
			rt.Errorf("%q: %v", s, orchestrator.ValidSlug(s))
		}
	})
}

func TestStampSurvivesTheSwitch(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		word := rapid.StringMatching(`[a-z0-9/._-]{0,40}`)
		want := orchestrator.Stamp{
			Tenant: orchestrator.TenantID(word.Draw(rt, "tenant")), Call: orchestrator.CallID(word.Draw(rt, "call")),
			Leg: orchestrator.LegID(word.Draw(rt, "leg")), Role: orchestrator.LegRole(word.Draw(rt, "role")),
			Epoch: rapid.Uint64().Draw(rt, "epoch"),
		}
		if got, ok := orchestrator.ParseStamp(want.String()); !ok || got != want {
			rt.Errorf("%s is read as %+v, %v", want, got, ok)
		}
	})
}

func TestForeignTextIsNoStamp(t *testing.T) {
	for _, text := range []string{"", "v1", "v1,a,b,c,d", "v1,a,b,c,d,1,e", "v2,a,b,c,d,1", "v1,a,b,c,d,", "v1,a,b,c,d,-1", "v1,a,b,c,d,18446744073709551616"} {
		if s, ok := orchestrator.ParseStamp(text); ok || s != (orchestrator.Stamp{}) {
			t.Errorf("%q is read as %+v, %v", text, s, ok)
		}
	}
}

func FuzzParseStamp(f *testing.F) {
	f.Add("v1,default,0190,pbx/1.2,caller,7")
	f.Add("v1,,,,,18446744073709551615")
	f.Add("v2,a,b,c,d,1")
	f.Add("v1,a,b,c,d,-1")
	f.Add("v1,a,b,c,d,1,e")
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := orchestrator.ParseStamp(text)
		if !ok {
			if s != (orchestrator.Stamp{}) {
				t.Errorf("%q is refused, and read as %+v", text, s)
			}
			return
		}
		if back, ok := orchestrator.ParseStamp(s.String()); !ok || back != s {
			t.Errorf("%q is %+v, written %q, then %+v", text, s, s, back)
		}
	})
}

func TestMillisRound(t *testing.T) {
	for d, want := range map[time.Duration]orchestrator.Millis{
		0: 0, 499 * time.Microsecond: 0, 500 * time.Microsecond: 1, time.Second: 1000, -1500 * time.Microsecond: -2,
	} {
		if got := orchestrator.MillisOf(d); got != want {
			t.Errorf("%v is %d ms, want %d", d, got, want)
		}
	}
	if got := orchestrator.Millis(1500).Duration(); got != 1500*time.Millisecond {
		t.Errorf("1500 ms are %v", got)
	}
}
