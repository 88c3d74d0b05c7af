package api

import (
	"context"
	"regexp"

	"github.com/google/uuid"
)

// asked is what the middleware learned about a request.
type asked struct {
	id        string
	operation *operation // nil when no route matches
	who       principal  // zero on public routes
}

type askedKey struct{}

func askedFrom(ctx context.Context) *asked {
	if a, ok := ctx.Value(askedKey{}).(*asked); ok {
		return a
	}
	return &asked{}
}

func requestID(ctx context.Context) string { return askedFrom(ctx).id }

// who is whose request it is.
func who(ctx context.Context) principal { return askedFrom(ctx).who }

// requestIDForm is what a client may name its request: it ends in logs.
var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func nameRequest(wish string) string {
	if requestIDForm.MatchString(wish) {
		return wish
	}
	return uuid.Must(uuid.NewV7()).String()
}
