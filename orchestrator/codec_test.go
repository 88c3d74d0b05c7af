package orchestrator

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"
)

// Every fact survives the journal: what is decided and what is replayed are
// deeply equal.
func TestFactsSurviveTheJournal(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(deedDecoders)) {
		t.Run(name, func(t *testing.T) {
			kind := deedType(t, name)
			rapid.Check(t, func(rt *rapid.T) {
				what := reflect.New(kind).Elem()
				fill(rt, what, name)
				fact := Fact{
					Seq: rapid.Uint64().Draw(rt, "seq"), Index: rapid.IntRange(0, 1<<30).Draw(rt, "index"),
					At: drawTime(rt, "at"), What: what.Interface().(Deed),
				}
				text, err := MarshalFact(fact)
				if err != nil {
					rt.Fatal(err)
				}
				back, err := UnmarshalFact(text)
				if err != nil {
					rt.Fatalf("%v in %s", err, text)
				}
				if !reflect.DeepEqual(back, fact) {
					rt.Fatalf("got  %+v\nwant %+v\nvia  %s", back, fact, text)
				}
				if bytes.ContainsRune(text, '\n') {
					rt.Fatalf("more than one line: %q", text)
				}
			})
		})
	}
}

// The two tables of the codec and the set of deeds are the same set, and a
// fact's name is its type's in snake_case.
func TestCodecKnowsEveryDeed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "codec.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, declared := range file.Decls {
		if f, ok := declared.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "deed" {
			names = append(names, snake(f.Recv.List[0].Type.(*ast.Ident).Name))
		}
	}
	slices.Sort(names)
	if known := slices.Sorted(maps.Keys(deedDecoders)); !slices.Equal(names, known) {
		t.Errorf("deeds    %v\ndecoders %v", names, known)
	}
	for _, name := range names {
		if got := FactName(reflect.Zero(deedType(t, name)).Interface().(Deed)); got != name {
			t.Errorf("%s is named %q", name, got)
		}
	}
	if got := FactName(nil); got != "" {
		t.Errorf("no deed is named %q", got)
	}
	if _, err := MarshalFact(Fact{}); err == nil {
		t.Error("a fact without substance is encoded")
	}
}

func TestFieldsOfFactsAreSnakeCase(t *testing.T) {
	for name := range deedDecoders {
		checkTags(t, deedType(t, name), name)
	}
}

// checkTags looks for fields that would be written under their Go name.
func checkTags(t *testing.T, kind reflect.Type, path string) {
	t.Helper()
	switch kind.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		checkTags(t, kind.Elem(), path)
	case reflect.Struct:
		if kind == reflect.TypeFor[time.Time]() {
			return
		}
		for f := range kind.Fields() {
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if tag == "" || strings.ToLower(tag) != tag {
				t.Errorf("%s.%s is %q in JSON", path, f.Name, tag)
			}
			checkTags(t, f.Type, path+"."+f.Name)
		}
	}
}

func TestUnknownFactIsRefused(t *testing.T) {
	for _, text := range []string{"", "{", "null", `{"fact":"call_teleported","what":{}}`, `{"fact":"call_ended","what":{"call":1}}`} {
		if f, err := UnmarshalFact([]byte(text)); err == nil {
			t.Errorf("%q is read as %+v", text, f)
		}
	}
}

func FuzzUnmarshalFact(f *testing.F) {
	for name := range deedDecoders {
		f.Add([]byte(`{"seq":1,"index":2,"at":"2026-11-23T10:00:00.5Z","fact":"` + name + `","what":{}}`))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		fact, err := UnmarshalFact(text)
		if err != nil {
			return
		}
		again, err := MarshalFact(fact)
		if err != nil {
			t.Fatalf("%+v is read and cannot be written: %v", fact, err)
		}
		back, err := UnmarshalFact(again)
		if err != nil {
			t.Fatalf("%s is written and cannot be read: %v", again, err)
		}
		if third, err := MarshalFact(back); err != nil || !bytes.Equal(again, third) {
			t.Fatalf("not stable: %s, then %s (%v)", again, third, err)
		}
	})
}

func deedType(t *testing.T, name string) reflect.Type {
	t.Helper()
	d, err := deedDecoders[name](json.RawMessage(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	return reflect.TypeOf(d)
}

func snake(name string) string {
	var out strings.Builder
	for i, r := range name {
		previousLower := i > 0 && unicode.IsLower(rune(name[i-1]))
		startsWord := i > 0 && i+1 < len(name) && unicode.IsUpper(rune(name[i-1])) && unicode.IsLower(rune(name[i+1]))
		if unicode.IsUpper(r) && (previousLower || startsWord) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}

// fill draws a value for everything a fact can hold. A kind it does not know
// fails the test: facts hold plain data.
func fill(rt *rapid.T, v reflect.Value, path string) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(drawTime(rt, path)))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(rt, path))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(rt, path))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(rt, path))
	case reflect.String:
		v.SetString(rapid.String().Draw(rt, path))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(rt, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	case reflect.Slice: // none or some: empty and none are the same fact
		for i := range rapid.IntRange(0, 2).Draw(rt, path) {
			v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			fill(rt, v.Index(i), path+"[]")
		}
	case reflect.Map:
		for range rapid.IntRange(0, 2).Draw(rt, path) {
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(rt, key, path+" key")
			fill(rt, value, path+" value")
			v.SetMapIndex(key, value)
		}
	default:
		rt.Fatalf("%s is a %s: facts hold plain data", path, v.Type())
	}
}

func drawTime(rt *rapid.T, label string) time.Time {
	if rapid.IntRange(0, 4).Draw(rt, label+" none") == 0 {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(0, 1<<33).Draw(rt, label), rapid.Int64Range(0, 999_999_999).Draw(rt, label+" ns")).UTC()
}
