package lab

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"ringmaster/dialplans"
)

// secret returns a password of 128 random bits, in letters and digits.
func secret() string { return rand.Text() }

// write lays out the working folder: the shipped files with values filled in,
// the few files only a lab needs, and the music.
func (a *Asterisk) write() error {
	for _, dir := range []string{"etc", "lib", "log", "run", "spool/recording", "spool/tmp", "prompts", "moh/default", "moh/test"} {
		if err := os.MkdirAll(filepath.Join(a.Dir, dir), 0o755); err != nil {
			return err
		}
	}
	if err := writeTone(filepath.Join(a.Dir, "moh/test/tone.wav"), MusicHz); err != nil {
		return err
	}
	if err := writeTone(filepath.Join(a.Dir, "moh/default/tone.wav"), HoldHz); err != nil {
		return err
	}
	files, err := a.render()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(a.Dir, "etc", name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// page is one shipped file being filled in. The first value that has no place
// in the text is kept as err: the lab must not drift from what admins paste.
type page struct {
	name string
	text string
	err  error
}

func shipped(name string) *page {
	text, err := dialplans.Asterisk.ReadFile("asterisk/" + name)
	return &page{name: name, text: string(text), err: err}
}

// fill replaces every line that reads old by value.
func (p *page) fill(old, value string) {
	lines, found := strings.Split(p.text, "\n"), false
	for i, line := range lines {
		if line == old {
			lines[i], found = value, true
		}
	}
	if !found && p.err == nil {
		p.err = fmt.Errorf("fill in %s: it has no line %q", p.name, old)
	}
	p.text = strings.Join(lines, "\n")
}

func (p *page) add(text string) { p.text += text }

// cut takes the part that begins at the line starting with mark out of the page.
func (p *page) cut(mark string) string {
	head, rest, found := strings.Cut(p.text, "\n"+mark)
	if !found && p.err == nil {
		p.err = fmt.Errorf("fill in %s: it has no part %q", p.name, mark)
	}
	p.text = head + "\n"
	return mark + rest
}

// render returns every file of the etc folder by name.
func (a *Asterisk) render() (map[string]string, error) {
	pages := []*page{a.http(), a.ari(), a.pjsip(), a.extensions(), a.queues(), a.music(), a.logger(), a.modules(), a.options()}
	files := a.ownFiles()
	for _, p := range pages {
		if p.err != nil {
			return nil, p.err
		}
		files[p.name] = p.text
	}
	return files, nil
}

func (a *Asterisk) http() *page {
	p := shipped("http.conf")
	p.fill("bindport=8088", fmt.Sprintf("bindport=%d", a.slot.http))
	return p
}

func (a *Asterisk) ari() *page {
	p := shipped("ari.conf")
	p.fill("password=", "password="+a.ARIPassword)
	return p
}

// pjsip repeats the shipped block of one desk phone for each agent. The
// anonymous endpoint takes callers from 127.0.0.1, who are not in the trunk's
// identify because the phones send from there too.
func (a *Asterisk) pjsip() *page {
	cfg := a.cfg
	p := shipped("pjsip.conf")
	link := &page{name: p.name, text: p.cut("; ---- one block per other switch")}
	trunk := &page{name: p.name, text: p.cut("; ---- one block per trunk")}
	phone := p.cut("; ---- one block per desk phone")
	p.fill("bind=0.0.0.0:5060", "bind="+a.SIPAddr)
	p.fill("direct_media=no", "direct_media=no\nmedia_address="+cfg.Host+"\nbind_rtp_to_media_address=yes")
	if cfg.Qualify > 0 {
		p.fill("qualify_frequency=15", fmt.Sprintf("qualify_frequency=%d", max(1, int(cfg.Qualify.Seconds()))))
	}
	for _, agent := range a.Agents {
		block := &page{name: p.name, text: strings.ReplaceAll(phone, "1001", agent.Number), err: p.err}
		block.fill("password=", "password="+agent.Password)
		p.add(block.text)
		p.err = block.err
	}
	trunk.fill("match=192.0.2.10", "match="+CallerIP)
	contact := ""
	if cfg.TrunkContact != "" {
		contact = "contact=" + cfg.TrunkContact
	}
	trunk.fill("contact=sip:192.0.2.10:5060", contact)
	a.fillLink(link)
	p.add(trunk.text + link.text + "\n[anonymous](rm-trunk)\n")
	for _, part := range []*page{trunk, link} {
		if p.err == nil {
			p.err = part.err
		}
	}
	return p
}

// fillLink leads to the switch we are linked to. Without one nobody is called,
// and calls from LinkIP are taken.
func (a *Asterisk) fillLink(link *page) {
	host, contact := LinkIP, ""
	if a.peer != "" {
		host, _, _ = net.SplitHostPort(a.peer)
		contact = "contact=sip:" + a.peer
	}
	link.fill("match=192.0.2.20", "match="+host)
	link.fill("contact=sip:192.0.2.20:5060", contact)
	link.fill("password=", "password="+cmp.Or(a.proof, secret())) // Asterisk complains of an empty one
}

func (a *Asterisk) extensions() *page {
	p := shipped("extensions.conf")
	p.add(`
[rm-inbound](+)
exten => ` + BenchExtension + `,1,Answer()
 same => n,Queue(bench)
 same => n,Hangup()
`)
	return p
}

func (a *Asterisk) queues() *page {
	p := shipped("queues.conf")
	var phones strings.Builder
	for _, agent := range a.Agents {
		fmt.Fprintf(&phones, "member => PJSIP/%s\n", agent.Number)
	}
	p.fill(";member => PJSIP/1001", phones.String())
	p.add("\n[bench]\nmusicclass=" + MusicClass + "\nstrategy=leastrecent\ntimeout=20\nretry=1\nwrapuptime=0\nringinuse=no\n" + phones.String())
	return p
}

func (a *Asterisk) music() *page {
	p := shipped("musiconhold.conf")
	p.fill("directory=/usr/share/asterisk/moh", "directory="+filepath.Join(a.Dir, "moh/default"))
	p.add("\n[" + MusicClass + "]\nmode=files\ndirectory=" + filepath.Join(a.Dir, "moh/test") + "\n")
	return p
}

func (a *Asterisk) logger() *page {
	p := shipped("logger.conf")
	p.add("full => notice,warning,error,verbose(3)\n")
	return p
}

// modules is the shipped list, used as the only one, which shows that it is
// complete. The lab adds what only it needs.
func (a *Asterisk) modules() *page {
	p := shipped("modules.conf")
	p.add("\nload=res_pjsip_endpoint_identifier_anonymous.so\n")
	return p
}

// options is the shipped file with the lab's folders. entityid differs per lab:
// it is half of what tells one Asterisk from another.
func (a *Asterisk) options() *page {
	at := func(dir string) string { return filepath.Join(a.Dir, dir) }
	p := shipped("asterisk.conf")
	p.add(fmt.Sprintf(`verbose=3
nocolor=yes
maxfiles=4096
entityid=02:00:00:00:%02x:%02x
[directories]
astetcdir => %s
astmoddir => %s
astvarlibdir => %s
astdbdir => %s
astkeydir => %s
astdatadir => %s
astspooldir => %s
astrundir => %s
astlogdir => %s
astcachedir => %s
`, a.slot.sip>>8, a.slot.sip&0xff,
		at("etc"), a.install.modules, at("lib"), at("lib"), at("lib"), a.install.data, at("spool"), at("run"), at("log"), at("spool/tmp")))
	return p
}

// ownFiles are the files an admin has already and a lab needs its own of.
func (a *Asterisk) ownFiles() map[string]string {
	host, err := os.Hostname()
	if err != nil {
		host = "lab"
	}
	files := map[string]string{
		"indications.conf": indications,
		"rtp.conf":         fmt.Sprintf("[general]\nrtpstart=%d\nrtpend=%d\nicesupport=no\n", a.slot.rtpLow, a.slot.rtpHigh),
		"hosts":            "127.0.0.1 localhost " + host + "\n",
		"resolv.conf":      "",
	}
	for _, name := range []string{"ccss", "cdr", "cel", "features", "manager", "pjproject", "queuerules", "stasis", "udptl"} {
		files[name+".conf"] = "[general]\n" // Present, so that the log holds no error about its absence.
	}
	files["acl.conf"], files["websocket_client.conf"], files["amd.conf"] = "", "", ""
	return files
}

// indications are the tones of a telephone (ARI plays them as tone:ring and the
// like): those of North America, as in Asterisk's sample.
const indications = `[general]
country=us
[us]
description=North America
ringcadence=2000,4000
dial=350+440
busy=480+620/500,0/500
ring=440+480/2000,0/4000
congestion=480+620/250,0/250
`
