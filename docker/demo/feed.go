package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"ringmaster/orchestrator"
)

const (
	feedPause = time.Second // between two looks at the floor
	askMax    = 5 * time.Second
	eventMax  = 1 << 20 // bytes of one fact
)

// feed follows the centre through the REST API, as any wallboard would: the
// floor once a second, and every fact as it happens.
type feed struct {
	url, key string
	client   *http.Client

	mu      sync.Mutex
	floor   orchestrator.Live
	story   *story
	trouble string // why the floor is not the newest
}

func newFeed(s *server) *feed {
	return &feed{url: s.url, key: s.key, client: &http.Client{}, story: newStory()}
}

// run follows until ctx ends.
func (f *feed) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for ok := true; ok; ok = sleep(ctx, feedPause) {
			err := f.look(ctx)
			f.mu.Lock()
			f.trouble = ""
			if err != nil && ctx.Err() == nil {
				f.trouble = err.Error()
			}
			f.mu.Unlock()
		}
	})
	wg.Go(func() {
		last := strconv.FormatUint(f.now().floor.Seq, 10)
		for ok := true; ok; ok = sleep(ctx, feedPause) {
			_ = f.follow(ctx, &last) // a broken stream is taken up again where it broke
		}
	})
	wg.Wait()
	f.client.CloseIdleConnections()
}

// look reads the floor once.
func (f *feed) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askMax)
	defer cancel()
	body, err := f.get(ctx, "/v1/live", "")
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	var floor orchestrator.Live
	if err := json.NewDecoder(body).Decode(&floor); err != nil {
		return fmt.Errorf("read the floor: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.floor = floor
	f.story.meet(floor)
	return nil
}

// follow reads facts (server-sent events) until the stream breaks.
func (f *feed) follow(ctx context.Context, last *string) error {
	body, err := f.get(ctx, "/v1/live/events", *last)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, eventMax)
	event := ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			event = value
		case "id":
			*last = value
		case "data":
			if event != "fact" {
				continue
			}
			fact, err := orchestrator.UnmarshalFact([]byte(value))
			if err != nil {
				return err
			}
			f.mu.Lock()
			f.story.tell(fact)
			f.mu.Unlock()
		}
	}
	return lines.Err()
}

func (f *feed) get(ctx context.Context, path, last string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+f.key)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := f.client.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("GET %s: %s", path, answer.Status)
	}
	return answer.Body, nil
}

// moment is what is known now.
type moment struct {
	floor   orchestrator.Live
	calls   tally
	latest  []entry
	trouble string
}

func (f *feed) now() moment {
	f.mu.Lock()
	defer f.mu.Unlock()
	return moment{f.floor, f.story.calls, append([]entry(nil), f.story.latest...), f.trouble}
}

// settle waits for the last calls to be told to their end.
func (f *feed) settle() {
	for end := time.Now().Add(settleMax / 4); time.Now().Before(end); time.Sleep(lookEvery) {
		if t := f.now().calls; t.Came == t.ended() {
			return
		}
	}
}

// until waits for the floor to be as wanted.
func (f *feed) until(ctx context.Context, within time.Duration, is func(orchestrator.Live) bool) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		err := f.look(ctx)
		if err == nil && is(f.now().floor) {
			return nil
		}
		if !sleep(ctx, lookEvery) {
			if err == nil {
				err = ctx.Err()
			}
			return fmt.Errorf("not within %s: %w", within, err)
		}
	}
}
