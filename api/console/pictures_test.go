package console_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"ringmaster/api/console/browsertest"
)

var shots = flag.String("console.shots", "", "folder to write pictures of the console to")

// TestPictures writes pictures for people to judge; see the flag.
func TestPictures(t *testing.T) {
	if *shots == "" {
		t.Skip("no -console.shots")
	}
	s := newStage(t)
	s.busy()
	empty := newStage(t)
	for name, size := range map[string]browsertest.Size{"wall": browsertest.Wall, "laptop": browsertest.Laptop, "phone": browsertest.Handy} {
		for _, theme := range []string{"light", "dark"} {
			p := visit(t, s, size)
			p.Prefer("prefers-color-scheme", theme)
			file := func(what string) string { return filepath.Join(*shots, name+"-"+theme+"-"+what+".png") }
			p.Has("Karin Ek", soon)
			p.Has("Jo Bergström", soon)
			time.Sleep(300 * time.Millisecond)
			p.Shot(file("board"), false)
			if name == "phone" && theme == "light" {
				tall := visit(t, s, browsertest.Size{Width: 360, Height: 1500})
				tall.Has("Karin Ek", soon)
				for i, top := range []string{"0", "1450", "2900"} {
					browsertest.Eval[any](tall, "scrollTo(0, "+top+")")
					tall.Shot(file(fmt.Sprint("board-", i)), false)
				}
			}
			p.Open(s.URL + "/#/call/" + callID(100))
			p.Has("What happened", soon)
			time.Sleep(300 * time.Millisecond)
			p.Shot(file("call"), true)
			if theme == "light" {
				p.Open(s.URL + "/#/call/" + callID(1))
				p.Has("What would help", soon)
				p.Shot(file("waiting"), true)
				p.Open(empty.URL + "/#key=" + goodKey)
				p.Has("No queues yet", soon)
				p.Shot(file("empty"), false)
				if name == "wall" {
					p.Open(s.URL + "/#key=" + goodKey)
					p.Has("Karin Ek", soon)
					p.Click("button[aria-pressed]")
					time.Sleep(300 * time.Millisecond)
					p.Shot(file("wallmode"), false)
				}
			}
		}
	}
	p := look(t, browsertest.Handy)
	p.Open(s.URL)
	p.Has("API key", soon)
	p.Shot(filepath.Join(*shots, "phone-door.png"), false)
}
