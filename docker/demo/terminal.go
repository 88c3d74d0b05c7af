package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// terminal is where the demo speaks to a person: steps first, then a panel that
// is drawn again in place. Where nothing can be redrawn it prints plain lines.
type terminal struct {
	out    io.Writer
	file   *os.File // nil: not a terminal
	colour bool
	steps  int
	drawn  []string // the panel on the screen
	tall   int      // how many rows of the screen it takes
	width  int      // of the screen when it was drawn
	above  []string // printed for good above the panel, to print again when the screen changes
}

const (
	plainWidth  = 200 // of a file, which has no size
	plainHeight = 1000
	fullWidth   = 80
	fullHeight  = 24
)

func newTerminal(f *os.File) *terminal {
	t := &terminal{out: f}
	if term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		t.file, t.colour = f, os.Getenv("NO_COLOR") == ""
	}
	return t
}

func (t *terminal) live() bool { return t.file != nil }

func (t *terminal) size() (width, height int) {
	if !t.live() {
		return plainWidth, plainHeight
	}
	width, height, err := term.GetSize(int(t.file.Fd()))
	if err != nil || width == 0 || height == 0 {
		return fullWidth, fullHeight
	}
	return width, height
}

// print needs no error: a terminal that is gone ends the demo by its signal.
func (t *terminal) print(format string, args ...any) {
	_, _ = fmt.Fprintf(t.out, format, args...)
}

// say prints lines for good. What is said before the panel appears stays above it.
func (t *terminal) say(lines ...string) {
	t.forget()
	for _, line := range lines {
		t.print("%s\n", line)
	}
	t.above = append(t.above, lines...)
}

// step shows one step of the way, with the time it takes, and then how it went.
func (t *terminal) step(of int, what string, do func() (string, error)) error {
	t.steps++
	head := fmt.Sprintf("[%d/%d] %s … ", t.steps, of, what)
	t.print("%s", head)
	began := time.Now()
	stop := t.clock(head, began)
	result, err := do()
	stop()
	took := seconds(time.Since(began))
	if err != nil {
		t.print("failed after %s\n", took)
		return err
	}
	if result != "" {
		took = result + ", " + took
	}
	t.print("%s\n", took)
	t.above = append(t.above, head+took)
	return nil
}

// clock counts seconds behind a step that is under way, until stopped.
func (t *terminal) clock(head string, began time.Time) (stop func()) {
	if !t.live() {
		return func() {}
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				t.print("\r%s%d s", head, int(time.Since(began).Seconds()))
			}
		}
	}()
	return func() {
		close(quit)
		<-gone
		t.print("\r\x1b[K%s", head)
	}
}

// draw puts the panel's rows where the last ones were, and touches only rows
// that changed, so that a person can mark and copy the others. On a screen of
// another width the old rows may have wrapped: then everything is printed again.
func (t *terminal) draw(rows []row) {
	width, height := t.size()
	var lines []string
	tall := 0 // the cursor needs the last row of the screen
	for _, r := range rows {
		if tall+r.height(width) >= height {
			break
		}
		tall += r.height(width)
		lines = append(lines, r.in(width, t.colour))
	}
	var b strings.Builder
	switch {
	case t.drawn == nil:
	case t.width != width:
		b.WriteString("\x1b[2J\x1b[H")
		for _, line := range t.above[max(0, len(t.above)-height+tall+1):] {
			b.WriteString(line + "\n")
		}
		t.drawn = nil
	default:
		fmt.Fprintf(&b, "\x1b[%dA\r", t.tall)
	}
	for i, line := range lines {
		if i < len(t.drawn) && t.drawn[i] == line {
			line = strings.Repeat("\n", rows[i].height(width))
		}
		b.WriteString(line)
	}
	b.WriteString("\x1b[J")
	t.print("%s", b.String())
	t.drawn, t.width, t.tall = lines, width, tall
}

// forget leaves the panel where it is; what follows goes below.
func (t *terminal) forget() { t.drawn = nil }

// row is one line of the panel: a text of which a part may be coloured. A whole
// row is not cut but wrapped by the terminal, so that it can be copied.
type row struct {
	text     string
	from, to int // the part, in characters
	style    style
	whole    bool
}

// height is how many rows of the screen it takes.
func (r row) height(width int) int {
	if n := len([]rune(r.text)); r.whole && n > width {
		return (n + width - 1) / width
	}
	return 1
}

type style string

// The styles, as the parameters of SGR (ECMA-48 8.3.117): colours every
// terminal has, on whatever background.
const (
	plain  style = ""
	bold   style = "1"
	faint  style = "2"
	green  style = "32"
	yellow style = "33"
	purple style = "35"
	red    style = "31"
)

// in is the row for a screen of that width, the rest of the line cleared.
// A text that fills the last column is followed by nothing to clear: terminals
// would clear that column instead.
func (r row) in(width int, colour bool) string {
	const rest = "\x1b[K\r\n"
	text := []rune(r.text)
	switch {
	case r.whole && len(text) > 0 && len(text)%width == 0:
		return string(text) + "\r\n"
	case r.whole:
		return string(text) + rest
	case len(text) >= width:
		text = append(text[:max(0, width-2)], '…')
	}
	from, to := min(r.from, len(text)), min(r.to, len(text))
	if !colour || r.style == plain || from >= to {
		return string(text) + rest
	}
	return string(text[:from]) + "\x1b[" + string(r.style) + "m" + string(text[from:to]) + "\x1b[0m" + string(text[to:]) + rest
}

func line(format string, args ...any) row { return row{text: fmt.Sprintf(format, args...)} }

func styled(s style, text string) row { return row{text: text, to: len([]rune(text)), style: s} }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
