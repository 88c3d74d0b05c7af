package api

import (
	"context"
	"fmt"
	"net/url"

	"ringmaster/orchestrator"
)

// What every list of the configuration can do. The handlers beside this file
// only unpack and pack.

func (s *Server) load(ctx context.Context) (orchestrator.Config, uint64, error) {
	c, version, err := s.store.LoadConfig(ctx, who(ctx).tenant)
	if err != nil {
		return c, version, fmt.Errorf("load configuration: %w", err)
	}
	return c, version, nil
}

func pageOf[D, A any](ctx context.Context, s *Server, sec section[D, A], cursor string, limit int) ([]A, string, error) {
	c, _, err := s.load(ctx)
	if err != nil {
		return nil, "", err
	}
	return sec.page(c, cursor, limit)
}

// dress adds to an object what its row does not hold.
type dress[A any] func(context.Context, *A) error

func plain[A any](context.Context, *A) error { return nil }

// stateOf shows one object and names its state.
func stateOf[D, A any](ctx context.Context, sec section[D, A], d D, wear dress[A]) (A, string, error) {
	shown := sec.show(d)
	if err := wear(ctx, &shown); err != nil {
		return shown, "", err
	}
	etag, err := etagOf(shown)
	return shown, etag, err
}

func getOne[D, A any](ctx context.Context, s *Server, sec section[D, A], id string, wear dress[A]) (A, string, error) {
	var none A
	c, _, err := s.load(ctx)
	if err != nil {
		return none, "", err
	}
	at := sec.find(&c, id)
	if at < 0 {
		return none, "", notFound(sec.one, id)
	}
	return stateOf(ctx, sec, (*sec.list(&c))[at], wear)
}

// putting is one PUT.
type putting[A any] struct {
	id      string // of the path
	body    A
	ifMatch string
	wear    dress[A]
	secrets func(ctx context.Context) error
}

func putOne[D, A any](ctx context.Context, s *Server, sec section[D, A], p putting[A]) (A, string, error) {
	d := sec.read(p.body)
	if sec.id(d) != p.id {
		var none A
		return none, "", invalid(sec.idField(), fmt.Sprintf("%q in the body is not %q of the path", sec.id(d), p.id))
	}
	err := s.write(ctx, func(now orchestrator.Config, _ uint64) (edit, error) {
		if err := matchOne(ctx, sec, now, p.id, p.ifMatch, p.wear); err != nil {
			return edit{}, err
		}
		after, place := sec.put(now, d)
		if err := sound(after, renamer(after, sec.name, place)); err != nil {
			return edit{}, err
		}
		var change orchestrator.Config
		*sec.list(&change) = []D{d}
		return edit{change: change, secrets: p.secrets}, nil
	})
	if err != nil {
		var none A
		return none, "", err
	}
	return getOne(ctx, s, sec, p.id, p.wear)
}

func deleteOne[D, A any](ctx context.Context, s *Server, sec section[D, A], id, ifMatch string, wear dress[A]) error {
	return s.write(ctx, func(now orchestrator.Config, _ uint64) (edit, error) {
		if sec.find(&now, id) < 0 {
			return edit{}, notFound(sec.one, id)
		}
		if err := matchOne(ctx, sec, now, id, ifMatch, wear); err != nil {
			return edit{}, err
		}
		after := sec.remove(now, id)
		if err := sound(after, renamer(after, "", -1)); err != nil {
			p := problemOf(err)
			p.code, p.detail = orchestrator.CodeConflict, "it is still in use: "+p.detail
			return edit{}, p
		}
		return edit{change: orchestrator.Config{Removed: []orchestrator.Removal{{Kind: sec.kind, ID: id}}}}, nil
	})
}

func matchOne[D, A any](
	ctx context.Context, sec section[D, A], now orchestrator.Config, id, ifMatch string, wear dress[A],
) error {
	if ifMatch == "" {
		return nil
	}
	at := sec.find(&now, id)
	if at < 0 {
		return match(ifMatch, "")
	}
	_, etag, err := stateOf(ctx, sec, (*sec.list(&now))[at], wear)
	if err != nil {
		return err
	}
	return match(ifMatch, etag)
}

func (s section[D, A]) idField() string {
	if s.kind == orchestrator.KindNumber {
		return "dialled"
	}
	return "id"
}

// sameOrigin reports whether two addresses lead to the same place.
func sameOrigin(a, b string) bool {
	ua, errA := url.Parse(a)
	ub, errB := url.Parse(b)
	return errA == nil && errB == nil && ua.Scheme == ub.Scheme && ua.Host == ub.Host
}
