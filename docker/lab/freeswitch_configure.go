package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ringmaster/dialplans"
)

// streamSeconds is the length of a tone FreeSWITCH streams in a loop: between
// two rounds it is silent for about a second, which no test shall meet.
const streamSeconds = 300

// write lays out the working folder: the shipped files with values filled in,
// the few files only a lab needs, and the music.
func (f *FreeSWITCH) write(cfg FreeSWITCHConfig) error {
	for _, dir := range []string{
		"etc/autoload_configs", "etc/sip_profiles/internal", "etc/dialplan", "etc/directory", "log", "run", "db", "tmp", "cache", "certs",
		"storage", "recordings", "sounds/ivr", "scripts", "htdocs", "grammar", "prompts", "moh/hold", "moh/test",
	} {
		if err := os.MkdirAll(filepath.Join(f.Dir, dir), 0o755); err != nil {
			return err
		}
	}
	for dir, hz := range map[string]int{"test": MusicHz, "hold": HoldHz} {
		if err := writeToneFor(filepath.Join(f.Dir, "moh", dir, "tone.wav"), hz, streamSeconds); err != nil {
			return err
		}
	}
	cert, err := certificate()
	if err != nil {
		return err
	}
	for _, name := range []string{"dtls-srtp.pem", "wss.pem"} {
		if err := os.WriteFile(filepath.Join(f.Dir, "certs", name), cert, 0o600); err != nil {
			return err
		}
	}
	files, err := f.render(cfg)
	if err != nil {
		return err
	}
	for name, text := range files {
		if cfg.Edit != nil {
			text = cfg.Edit(name, text)
		}
		if err := os.WriteFile(filepath.Join(f.Dir, "etc", name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// certificate is a key and a certificate nobody uses: without the two files
// FreeSWITCH spends up to ten seconds on RSA keys of 4096 bits when it starts.
func certificate() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	return append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...), nil
}

func shippedXML(name string) *page {
	text, err := dialplans.FreeSWITCH.ReadFile("freeswitch/" + name)
	return &page{name: name, text: string(text), err: err}
}

// swap replaces the one place that reads old.
func (p *page) swap(old, value string) {
	if strings.Count(p.text, old) != 1 && p.err == nil {
		p.err = fmt.Errorf("fill in %s: it has not one place %q", p.name, old)
	}
	p.text = strings.Replace(p.text, old, value, 1)
}

func param(name, value string) string {
	return fmt.Sprintf(`<param name="%s" value="%s"/>`, name, value)
}

// set gives the parameter name another value than the shipped one.
func (p *page) set(name, old, value string) { p.swap(param(name, old), param(name, value)) }

// repeat puts one filled copy of the part from mark to end, inclusive, for each
// name in the part's place; fill changes a copy.
func (p *page) repeat(mark, end string, names []string, fill func(*page, string)) {
	head, rest, ok := strings.Cut(p.text, mark)
	part, tail, found := strings.Cut(rest, end)
	if (!ok || !found) && p.err == nil {
		p.err = fmt.Errorf("fill in %s: it has no part %q", p.name, mark)
		return
	}
	var b strings.Builder
	b.WriteString(head)
	for _, name := range names {
		one := &page{name: p.name, text: mark + part + end, err: p.err}
		fill(one, name)
		b.WriteString(one.text + "\n")
		p.err = one.err
	}
	p.text = b.String() + tail
}

// render returns every file of the etc folder by its path there.
func (f *FreeSWITCH) render(cfg FreeSWITCHConfig) (map[string]string, error) {
	files := map[string]string{"freeswitch.xml": f.root()}
	for path, p := range map[string]*page{
		"autoload_configs/event_socket.conf.xml": f.socket(),
		"autoload_configs/switch.conf.xml":       f.limits(),
		"autoload_configs/modules.conf.xml":      f.modules(cfg),
		"autoload_configs/local_stream.conf.xml": f.streams(),
		"autoload_configs/acl.conf.xml":          f.lists(),
		"autoload_configs/conference.conf.xml":   shippedXML("conference.conf.xml"),
		"sip_profiles/internal.xml":              f.profile(cfg),
		"sip_profiles/internal/trunk.xml":        f.gateway("gateway.xml", "192.0.2.10:5060", cfg.TrunkContact),
		"sip_profiles/internal/link.xml":         f.link(),
		"directory/default.xml":                  f.directory(cfg),
		"dialplan/ringmaster.xml":                f.dialplan(cfg),
	} {
		if p.err != nil {
			return nil, p.err
		}
		files[path] = p.text
	}
	own := maps.Clone(ownXML)
	if cfg.Bench {
		own["callcenter.conf"] = f.callcenter()
	}
	for name, text := range own {
		files["autoload_configs/"+name+".xml"] = fmt.Sprintf("<configuration name=%q>%s</configuration>\n", name, text)
	}
	return files, nil
}

// root is the file FreeSWITCH starts reading at. An admin has it; its variables
// are those of the sample configuration. A preprocessor line stands alone.
func (f *FreeSWITCH) root() string {
	return fmt.Sprintf(`<?xml version="1.0"?>
<document type="freeswitch/xml">
  <X-PRE-PROCESS cmd="set" data="domain=%s"/>
  <X-PRE-PROCESS cmd="set" data="local_ip_v4=%s"/>
  <section name="configuration">
  <X-PRE-PROCESS cmd="include" data="autoload_configs/*.xml"/>
  </section>
  <section name="dialplan">
  <X-PRE-PROCESS cmd="include" data="dialplan/*.xml"/>
  </section>
  <section name="directory">
  <X-PRE-PROCESS cmd="include" data="directory/*.xml"/>
  </section>
</document>
`, f.Domain, LinkIP)
}

func (f *FreeSWITCH) socket() *page {
	p := shippedXML("event_socket.conf.xml")
	_, port, _ := net.SplitHostPort(f.ESLAddr)
	p.set("listen-port", "8021", port)
	p.set("password", "", f.ESLPassword)
	p.set("apply-inbound-acl", "rm-set-a-password-first", "loopback.auto")
	return p
}

func (f *FreeSWITCH) limits() *page {
	p := shippedXML("switch.conf.xml")
	p.set("rtp-start-port", "16384", fmt.Sprint(f.slot.rtpLow))
	p.set("rtp-end-port", "32768", fmt.Sprint(f.slot.rtpHigh&^1)) // Even: FreeSWITCH complains of an odd one.
	return p
}

// modules is the shipped list, used as the only one, which shows that it is
// complete. The lab adds what only it needs.
func (f *FreeSWITCH) modules(cfg FreeSWITCHConfig) *page {
	p := shippedXML("modules.conf.xml")
	own := "    <load module=\"mod_loopback\"/>\n"
	if cfg.Bench {
		own += "    <load module=\"mod_callcenter\"/>\n"
	}
	p.swap("  </modules>", own+"  </modules>")
	return p
}

func (f *FreeSWITCH) dialplan(cfg FreeSWITCHConfig) *page {
	p := shippedXML("dialplan.xml")
	if cfg.Bench {
		p.swap(`    <extension name="rm-in">`, `    <extension name="bench">
      <condition field="destination_number" expression="^`+BenchExtension+`$">
        <action application="answer"/>
        <action application="callcenter" data="`+benchQueue+`"/>
      </condition>
    </extension>
    <extension name="rm-in">`)
	}
	return p
}

const benchQueue = "bench@default"

// callcenter is the queue to be measured: the longest idle agent, no wrap-up.
func (f *FreeSWITCH) callcenter() string {
	var agents, tiers strings.Builder
	for _, a := range f.Agents {
		name := a.Number + "@" + f.Domain
		fmt.Fprintf(&agents, `<agent name=%q type="callback" contact="[leg_timeout=20]user/%s" status="Available" max-no-answer="0" wrap-up-time="0" reject-delay-time="1" busy-delay-time="1"/>`+"\n", name, name)
		fmt.Fprintf(&tiers, `<tier agent=%q queue=%q level="1" position="1"/>`+"\n", name, benchQueue)
	}
	return fmt.Sprintf(`<settings/><queues><queue name=%q>
  <param name="strategy" value="longest-idle-agent"/><param name="moh-sound" value="local_stream://%s"/>
  <param name="time-base-score" value="queue"/><param name="tier-rules-apply" value="false"/>
  <param name="max-wait-time" value="0"/><param name="abandoned-resume-allowed" value="false"/>
  </queue></queues><agents>%s</agents><tiers>%s</tiers>`, benchQueue, FreeSWITCHMusic, &agents, &tiers)
}

func (f *FreeSWITCH) streams() *page {
	p := shippedXML("local_stream.conf.xml")
	names := []string{FreeSWITCHHold, FreeSWITCHMusic}
	folders := map[string]string{FreeSWITCHHold: "moh/hold", FreeSWITCHMusic: "moh/test"}
	p.repeat(`  <directory name="moh" path="$${sounds_dir}/music/8000">`, "</directory>", names, func(p *page, name string) {
		p.swap(`name="moh" path="$${sounds_dir}/music/8000"`, fmt.Sprintf(`name="%s" path="%s"`, name, filepath.Join(f.Dir, folders[name])))
	})
	return p
}

func (f *FreeSWITCH) lists() *page {
	p := shippedXML("acl.conf.xml")
	p.swap("192.0.2.10/32", CallerIP+"/32")
	return p
}

func (f *FreeSWITCH) profile(cfg FreeSWITCHConfig) *page {
	p := shippedXML("sip_profile.xml")
	_, port, _ := net.SplitHostPort(f.SIPAddr)
	p.set("sip-port", "5060", port)
	if cfg.Qualify > 0 {
		p.set("ping-mean-interval", "15", fmt.Sprint(max(1, int(cfg.Qualify.Seconds()))))
	}
	return p
}

// gateway leads to contact, or to nobody, where a call is refused at once.
func (f *FreeSWITCH) gateway(name, shipped, contact string) *page {
	p := shippedXML(name)
	if contact == "" {
		contact = "127.0.0.1:9"
	}
	p.set("proxy", shipped, contact)
	return p
}

// link is the gateway to another switch of ours.
func (f *FreeSWITCH) link() *page {
	p := f.gateway("link.xml", "192.0.2.20:5060", f.peer)
	p.set("password", "", f.proof)
	return p
}

// directory repeats the shipped block of one desk phone for each agent.
func (f *FreeSWITCH) directory(cfg FreeSWITCHConfig) *page {
	p := shippedXML("directory.xml")
	passwords := map[string]string{"link": cfg.LinkPassword}
	var numbers []string
	for _, a := range f.Agents {
		passwords[a.Number] = a.Password
		numbers = append(numbers, a.Number)
	}
	for shipped, names := range map[string][]string{"1001": numbers, "link": {"link"}} {
		mark := fmt.Sprintf("        <user id=%q>", shipped)
		p.repeat(mark, "</user>", names, func(p *page, name string) {
			p.swap(fmt.Sprintf("id=%q", shipped), fmt.Sprintf("id=%q", name))
			p.set("password", "", passwords[name])
		})
	}
	return p
}

// ownXML are the files an admin has already and a lab needs its own of.
var ownXML = map[string]string{
	"sofia.conf": `<global_settings><param name="log-level" value="0"/></global_settings>
  <profiles>
  <X-PRE-PROCESS cmd="include" data="../sip_profiles/*.xml"/>
  </profiles>`,
	"logfile.conf": `<settings><param name="rotate-on-hup" value="true"/></settings>
  <profiles><profile name="default"><settings><param name="rollover" value="0"/><param name="uuid" value="true"/></settings>
  <mappings><map name="all" value="info,notice,warning,err,crit,alert"/></mappings></profile></profiles>`,
	"timezones.conf":  `<timezones/>`,
	"callcenter.conf": `<settings/><queues/><agents/><tiers/>`, // For a test that loads mod_callcenter by itself.
}
