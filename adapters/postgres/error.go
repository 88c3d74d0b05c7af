package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"ringmaster/orchestrator"
)

// translate turns what GORM and the driver say into what a client can act on,
// and leaves every other error as it is. did says what was being done: verb,
// object, id.
func translate(did string, err error) error {
	var known *orchestrator.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, gorm.ErrRecordNotFound):
		return &orchestrator.Error{Code: orchestrator.CodeNotFound, Message: did + ": there is none"}
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return &orchestrator.Error{Code: orchestrator.CodeConflict, Message: did + ": " + taken(err)}
	case errors.Is(err, gorm.ErrForeignKeyViolated):
		return &orchestrator.Error{Code: orchestrator.CodeNotFound, Message: did + ": what it belongs to does not exist"}
	case errors.Is(err, gorm.ErrCheckConstraintViolated), inClass(err, "22"):
		return because(orchestrator.CodeInvalid, did+": a value the database cannot hold", err)
	case away(err):
		return because(orchestrator.CodeUnavailable, did+": the database is away or too slow", err)
	}
	return fmt.Errorf("%s: %w", did, err)
}

// because is an error whose *Error is for the client and whose text, for the
// log, has the database's own words as well.
func because(code orchestrator.Code, message string, cause error) error {
	return fmt.Errorf("%w: %w", &orchestrator.Error{Code: code, Message: message}, cause)
}

// taken names what exists already, by the constraint that said so.
func taken(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.ConstraintName {
		case "phone_endpoint_unique":
			return "two phones have the same switch and endpoint"
		case "agent_number_unique":
			return "two agents have the same number"
		}
	}
	return "it exists already"
}

// away reports errors that pass by themselves, so that repeating is safe and
// sensible. Classes are those of PostgreSQL's appendix A.
func away(err error) bool {
	if _, refused := errors.AsType[*pgconn.ConnectError](err); refused { // for whatever reason: there is no database to ask
		return true
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code[:2] {
		case "08", "40", "53", "57": // connection, rollback, resources, operator
			return true
		}
		return pg.Code == "55P03" || pg.Code == "25006" || pg.Code == "25P03" // lock, read only, idle in transaction
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded)
}

// poisonous reports errors that lie in the data: the same rows will be refused
// every time.
func poisonous(err error) bool { return inClass(err, "22") || inClass(err, "23") || inClass(err, "54") }

func inClass(err error, class string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code[:2] == class
}
