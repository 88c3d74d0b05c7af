// Package browsertest looks at the console as people do: in a real Chromium,
// without a window. It is for tests only.
//
// It refuses to download a browser: Debian's package chromium is the one.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"ringmaster/api/console"
)

// Available says why no browser test can run here; nil means one can.
func Available() error {
	if _, err := exec.LookPath("chromium"); err != nil {
		return fmt.Errorf("no chromium (apt-get install chromium): %w", err)
	}
	if !console.Built() {
		return fmt.Errorf("the console is not built (make console)")
	}
	return nil
}

// Browser is one Chromium. Its pages share nothing but the process.
type Browser struct {
	ctx  context.Context //nolint:containedctx // chromedp knows a browser by it
	stop context.CancelFunc
}

// Start starts Chromium. The caller stops it.
func Start() (*Browser, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, fmt.Errorf("find chromium: %w", err)
	}
	dir, err := os.MkdirTemp("", "rm-chromium-")
	if err != nil {
		return nil, fmt.Errorf("make a profile: %w", err)
	}
	flags := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	flags = append(flags, chromedp.ExecPath(path), chromedp.UserDataDir(dir), chromedp.NoSandbox, chromedp.DisableGPU)
	// A browser under test asks nobody but the page's server.
	for _, name := range []string{"disable-quic", "disable-background-networking", "disable-component-update"} {
		flags = append(flags, chromedp.Flag(name, true))
	}
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, cancel := chromedp.NewContext(allocator)
	stop := func() {
		cancel()
		stopAllocator()
		os.RemoveAll(dir) //nolint:errcheck // a profile left behind harms nobody
	}
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, fmt.Errorf("start chromium: %w", err)
	}
	return &Browser{ctx: ctx, stop: stop}, nil
}

// Stop ends Chromium and removes what it wrote.
func (b *Browser) Stop() { b.stop() }

// Size is a screen's.
type Size struct{ Width, Height int64 }

// The screens the console is made for.
var (
	Wall   = Size{1920, 1080}
	Laptop = Size{1280, 800}
	Handy  = Size{360, 740}
)

// Page is one tab with its own storage. Whatever the page complains about on
// its console fails the test when it ends, unless Forgive was told to expect
// it.
type Page struct {
	t       testing.TB
	ctx     context.Context //nolint:containedctx // chromedp knows a tab by it
	lock    sync.Mutex
	said    []string
	forgive []string
}

// Page opens a tab, which is closed when the test ends.
func (b *Browser) Page(tb testing.TB, size Size) *Page {
	tb.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	p := &Page{t: tb, ctx: ctx}
	p.Resize(size)
	var reading sync.WaitGroup
	messages := chromedp.Console(ctx)
	reading.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			p.hear(m)
		}
	})
	tb.Cleanup(func() {
		cancel()
		reading.Wait()
		p.complain()
	})
	return p
}

// Resize makes the screen another.
func (p *Page) Resize(size Size) {
	p.t.Helper()
	p.do("resize the screen", chromedp.Do(p.ctx, chromedp.EmulateViewport(size.Width, size.Height)))
}

func (p *Page) hear(m chromedp.ConsoleMessage) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.said = append(p.said, m.String())
}

func (p *Page) complain() {
	p.t.Helper()
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, line := range p.said {
		if !p.forgiven(line) {
			p.t.Errorf("the page complains: %s", line)
		}
	}
}

func (p *Page) forgiven(line string) bool {
	for _, part := range p.forgive {
		if strings.Contains(line, part) {
			return true
		}
	}
	return false
}

// Forgive expects complaints that hold this text.
func (p *Page) Forgive(part string) { p.forgive = append(p.forgive, part) }

func (p *Page) do(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// bounded is a context for one action: a page that hangs must not hang a test.
func (p *Page) bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(p.ctx, 30*time.Second)
}

// Open goes to an address and waits until it is loaded.
func (p *Page) Open(url string) {
	p.t.Helper()
	ctx, cancel := p.bounded()
	defer cancel()
	p.do("open "+url, chromedp.Do(ctx, chromedp.Navigate(url)))
}

// Eval is the value of a JavaScript expression in the page.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	ctx, cancel := p.bounded()
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	p.do("evaluate "+expression[:min(len(expression), 200)], err)
	return v
}

// Wait waits until a JavaScript expression is true and tells how long it took.
func (p *Page) Wait(what, expression string, within time.Duration) time.Duration {
	p.t.Helper()
	begun := time.Now()
	for !Eval[bool](p, "Boolean("+expression+")") {
		if time.Since(begun) > within {
			p.t.Fatalf("not within %s: %s\nthe page reads: %s", within, what, p.Text())
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(begun)
}

// Text is all the page's text.
func (p *Page) Text() string {
	p.t.Helper()
	return Eval[string](p, "document.body.innerText")
}

// Has waits until the page shows a text.
func (p *Page) Has(text string, within time.Duration) time.Duration {
	p.t.Helper()
	return p.Wait(fmt.Sprintf("the page shows %q", text), fmt.Sprintf("document.body.innerText.includes(%q)", text), within)
}

// Press types keys into whatever has the focus; see package kb for those
// without a letter.
func (p *Page) Press(keys ...string) {
	p.t.Helper()
	ctx, cancel := p.bounded()
	defer cancel()
	for _, k := range keys {
		p.do("press "+k, chromedp.Do(ctx, chromedp.KeyEvent(k)))
	}
}

// Click clicks on the first element of a CSS selector.
func (p *Page) Click(selector string) {
	p.t.Helper()
	ctx, cancel := p.bounded()
	defer cancel()
	p.do("click "+selector, chromedp.Do(ctx, chromedp.Click(selector)))
}

// Prefer sets what the person's device prefers, in pairs of feature and value,
// such as "prefers-color-scheme", "dark". What is not named is as usual.
func (p *Page) Prefer(pairs ...string) {
	p.t.Helper()
	var features []*emulation.MediaFeature
	for i := 0; i+1 < len(pairs); i += 2 {
		features = append(features, &emulation.MediaFeature{Name: pairs[i], Value: pairs[i+1]})
	}
	_, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features})
	p.do("emulate preferences", err)
}

// Shot writes what is to be seen into a PNG file.
func (p *Page) Shot(path string, whole bool) {
	p.t.Helper()
	ctx, cancel := p.bounded()
	defer cancel()
	shoot := chromedp.CaptureScreenshot()
	if whole {
		shoot = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(ctx, shoot)
	p.do("take a picture", err)
	p.do("write a picture", os.WriteFile(path, png, 0o644))
}
