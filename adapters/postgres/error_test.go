package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	o "ringmaster/orchestrator"
)

func TestErrorsSayWhatCanBeDone(t *testing.T) {
	t.Parallel()
	known := &o.Error{Code: o.CodeRefused, Message: "no"}
	pg := func(code string) error { return &pgconn.PgError{Code: code, Message: "secret words"} }
	for _, c := range []struct {
		err  error
		want o.Code
	}{
		{nil, ""},
		{fmt.Errorf("deep: %w", known), o.CodeRefused},
		{gorm.ErrRecordNotFound, o.CodeNotFound},
		{fmt.Errorf("%w: %w", gorm.ErrDuplicatedKey, pg("23505")), o.CodeConflict},
		{fmt.Errorf("%w: %w", gorm.ErrForeignKeyViolated, pg("23503")), o.CodeNotFound},
		{fmt.Errorf("%w: %w", gorm.ErrCheckConstraintViolated, pg("23514")), o.CodeInvalid},
		{pg("22021"), o.CodeInvalid},     // character not in repertoire
		{pg("57014"), o.CodeUnavailable}, // statement timeout
		{pg("57P01"), o.CodeUnavailable}, // admin shutdown
		{pg("57P03"), o.CodeUnavailable}, // starting up
		{pg("53300"), o.CodeUnavailable}, // too many connections
		{pg("40001"), o.CodeUnavailable}, // serialization failure
		{pg("55P03"), o.CodeUnavailable}, // lock not available
		{pg("25006"), o.CodeUnavailable}, // read only
		{pg("42P01"), o.CodeInternal},    // no such table: our fault
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, o.CodeUnavailable},
		{io.ErrUnexpectedEOF, o.CodeUnavailable},
		{driver.ErrBadConn, o.CodeUnavailable},
		{context.DeadlineExceeded, o.CodeUnavailable},
		{context.Canceled, o.CodeInternal},
		{errors.New("anything"), o.CodeInternal},
	} {
		got := translate("do x", c.err)
		if o.CodeOf(got) != c.want {
			t.Errorf("%v: got %q, want %q", c.err, o.CodeOf(got), c.want)
		}
		var shown *o.Error
		if errors.As(got, &shown) && strings.Contains(shown.Error(), "secret") {
			t.Errorf("%v shows the client the database's words: %v", c.err, shown)
		}
	}
}

func TestADatabaseThatIsNotThereIsUnavailable(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"host=/nowhere user=x dbname=x", server(t).DSN("no_such_database"), "host=127.0.0.1 port=1 user=x dbname=x"} {
		s := openStore(t, dsn)
		_, _, err := s.LoadConfig(t.Context(), acme)
		if o.CodeOf(err) != o.CodeUnavailable || !strings.Contains(err.Error(), "failed to connect") {
			t.Errorf("%s: %v", dsn, err)
		}
		if s.Ping(t.Context()) == nil {
			t.Errorf("%s answers", dsn)
		}
	}
}
