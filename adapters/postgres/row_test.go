package postgres

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	o "ringmaster/orchestrator"
)

// fill sets every field to something that is not zero and tells fields apart.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 11, 1, 0, 0, *n, 0, time.UTC)))
		return
	case []byte:
		text, _ := json.Marshal(o.Decision{Strategy: o.LongestIdle, Free: *n})
		v.Set(reflect.ValueOf(text))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field, n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.String:
		v.SetString(fmt.Sprintf("0192e5a0-0000-7000-8000-%012d", *n)) // an id, a text, whatever the column wants
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), n)
	default:
		panic("no value for " + v.Type().String())
	}
}

// zeroFields names the fields of a record nothing was mapped to.
func zeroFields(v reflect.Value, path string) (names []string) {
	if v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]() && v.Type() != reflect.TypeFor[o.Decision]() {
		for i := range v.NumField() {
			names = append(names, zeroFields(v.Field(i), path+"."+v.Type().Field(i).Name)...)
		}
		return names
	}
	if v.IsZero() {
		return []string{path}
	}
	return nil
}

// checkRow writes a row full of values, reads it back, overwrites it, and holds
// its columns against the table's.
func checkRow[R any](t *testing.T, db *gorm.DB) R {
	t.Helper()
	var row, got R
	n := 0
	fill(reflect.ValueOf(&row).Elem(), &n)
	must(t, db.Create(&row).Error)
	must(t, db.Take(&got).Error)
	for i := range reflect.TypeFor[R]().NumField() {
		want, have := reflect.ValueOf(row).Field(i).Interface(), reflect.ValueOf(got).Field(i).Interface()
		if text, ok := want.([]byte); ok { // jsonb has its own spacing
			want, have = decision(t, text), decision(t, have.([]byte))
		}
		if !reflect.DeepEqual(have, want) {
			t.Errorf("%T.%s: got %v, want %v", row, reflect.TypeFor[R]().Field(i).Name, have, want)
		}
	}
	must(t, db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error)
	parsed, err := schema.Parse(&row, &sync.Map{}, db.NamingStrategy)
	must(t, err)
	var columns []string
	must(t, db.Raw("SELECT attname FROM pg_attribute WHERE attrelid = ?::regclass AND attnum > 0 AND NOT attisdropped", parsed.Table).
		Scan(&columns).Error)
	slices.Sort(columns)
	fields := slices.Clone(parsed.DBNames)
	slices.Sort(fields)
	if !slices.Equal(columns, fields) {
		t.Errorf("%s has columns\n%s and the row\n%s", parsed.Table, strings.Join(columns, " "), strings.Join(fields, " "))
	}
	return got
}

func decision(t *testing.T, text []byte) (d o.Decision) {
	t.Helper()
	if json.Valid(text) {
		_ = json.Unmarshal(text, &d) // not every []byte is one; then both are empty
	}
	return d
}

func TestRowsAndRecordsHoldTheSame(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	record := func(r any) {
		t.Helper()
		for _, name := range zeroFields(reflect.ValueOf(r), reflect.TypeOf(r).Name()) {
			t.Errorf("%s is not mapped", name)
		}
	}
	record(checkRow[callRow](t, s.db).record())
	record(checkRow[legRow](t, s.db).record())
	record(checkRow[visitRow](t, s.db).record())
	record(checkRow[intervalRow](t, s.db).record())
	offer, err := checkRow[offerRow](t, s.db).record()
	must(t, err)
	record(offer)
	checkRow[setAsideRow](t, s.db)
	must(t, s.OpenTenant(t.Context(), acme))
	key := keyRow{
		Prefix: "abcdefgh", TenantID: string(acme), Hash: []byte{1}, Name: "n", Scopes: []string{"s"}, CreatedAt: time.Unix(1, 0).UTC(),
		UsedAt: maybe(time.Unix(2, 0)), RevokedAt: maybe(time.Unix(3, 0)),
	}
	record(keyFromRow(key))
	if back := keyToRow(keyFromRow(key)); !reflect.DeepEqual(back, key) {
		t.Errorf("got %+v, want %+v", back, key)
	}
}
