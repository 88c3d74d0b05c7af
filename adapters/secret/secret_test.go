package secret

import (
	"context"
	"strings"
	"testing"
)

func TestPINIsFoundAgainAndNoOther(t *testing.T) {
	ctx := t.Context()
	hash, err := HashPIN(ctx, "4711")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(hash, "4711") {
		t.Errorf("hash %q is not in the PHC form, or shows the PIN", hash)
	}
	for pin, want := range map[string]bool{"4711": true, "4712": false, "": false, "47110": false} {
		got, err := CheckPIN(ctx, hash, pin)
		if err != nil || got != want {
			t.Errorf("CheckPIN(%q) = %v, %v, want %v", pin, got, err, want)
		}
	}
}

func TestSamePINHashesDifferently(t *testing.T) {
	a, _ := HashPIN(t.Context(), "4711")
	b, _ := HashPIN(t.Context(), "4711")
	if a == b {
		t.Error("two hashes of one PIN are equal: there is no salt")
	}
}

func TestOnlyDigitsArePINs(t *testing.T) {
	for pin, want := range map[string]bool{
		"1234": true, "123456789012": true,
		"123": false, "1234567890123": false, "": false, "12a4": false, "12 4": false, "١٢٣٤": false,
	} {
		if _, err := HashPIN(t.Context(), pin); (err == nil) != want {
			t.Errorf("HashPIN(%q): %v, want taken: %v", pin, err, want)
		}
	}
}

func TestGreedyOrBrokenHashIsRefused(t *testing.T) {
	for _, hash := range []string{
		"", "$argon2id$", "plain",
		"$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$c3Vtc3Vtc3Vtc3Vtc3Vtc3VtcwA",
		"$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$c3Vtc3Vtc3Vtc3Vtc3Vtcw",
		"$argon2id$v=19$m=19456,t=2,p=1,x=1$c2FsdHNhbHRzYWx0c2FsdA$c3Vtc3Vtc3Vtc3Vtc3Vtcw",
	} {
		if _, err := CheckPIN(t.Context(), hash, "4711"); err == nil {
			t.Errorf("CheckPIN took %q", hash)
		}
	}
}

func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	for range Concurrent {
		turns <- struct{}{}
	}
	defer func() {
		for range Concurrent {
			<-turns
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := HashPIN(ctx, "4711"); err == nil {
		t.Error("a hash was computed although every turn is taken")
	}
}

func FuzzParse(f *testing.F) {
	hash, err := HashPIN(context.Background(), "4711")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(hash)
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parse(text)
		if err == nil && h.String() != text {
			t.Errorf("parse(%q) writes back %q", text, h)
		}
	})
}

func BenchmarkHashPIN(b *testing.B) {
	for b.Loop() {
		if _, err := HashPIN(context.Background(), "4711"); err != nil {
			b.Fatal(err)
		}
	}
}
