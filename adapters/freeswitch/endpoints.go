package freeswitch

import (
	"context"
	"encoding/xml"
	"io"
	"strings"

	"ringmaster/orchestrator"
)

// device is the last known state of a watched endpoint.
type device struct {
	reachable bool
	inUse     bool
}

// deviceOf is the desk phone a channel belongs to: one that authenticated, or
// one that was rung. "" is none of ours.
func (b *book) deviceOf(e *event) string {
	user := ""
	if e.variable("sip_authorized") == "true" {
		user = e.variable("sip_auth_username")
	}
	if user == "" {
		presence := e.get("Channel-Presence-ID")
		if presence == "" {
			presence = e.variable("presence_id")
		}
		name, domain, found := strings.Cut(presence, "@")
		if found && strings.EqualFold(domain, b.cfg.Domain) {
			user = name
		}
	}
	if name := "user/" + user; devicePattern.MatchString(name) {
		return name
	}
	return ""
}

// occupied counts the channels of watched endpoints, whoever placed the call.
func (b *book) occupied(e *event, channel string) []orchestrator.Event {
	switch e.name {
	case "CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_ANSWER", "CHANNEL_PARK":
		name := b.deviceOf(e)
		if name == "" || b.users[channel] != "" || e.get("Answer-State") == "hangup" {
			return nil
		}
		b.users[channel] = name
		b.busy[name]++
		return b.reassess(name)
	case "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE":
		name := b.users[channel]
		if name == "" {
			return nil
		}
		delete(b.users, channel)
		if b.busy[name]--; b.busy[name] <= 0 {
			delete(b.busy, name)
		}
		return b.reassess(name)
	}
	return nil
}

// reassess tells a watched endpoint whose use has changed.
func (b *book) reassess(name string) []orchestrator.Event {
	d, watched := b.devices[name]
	if !watched {
		return nil
	}
	inUse := b.busy[name] > 0
	if inUse == d.inUse {
		return nil
	}
	d.inUse = inUse
	b.devices[name] = d
	return []orchestrator.Event{b.changed(name, d)}
}

func (b *book) changed(name string, d device) orchestrator.Event {
	return orchestrator.EndpointChanged{Switch: b.cfg.ID, Endpoint: name, Reachable: d.reachable, InUse: d.inUse}
}

// registered is a phone coming, going, or not answering FreeSWITCH's OPTIONS.
func (b *book) registered(e *event) []orchestrator.Event {
	user, domain := e.get("username"), e.get("from-host")
	reachable := e.name == "sofia::register"
	switch e.name {
	case "sofia::unregister":
		user = e.get("from-user")
	case "sofia::expire":
		user, domain = e.get("user"), e.get("host")
	case "sofia::sip_user_state":
		user, domain = e.get("from-user"), e.get("from-host")
		state := e.get("Ping-Status")
		if state == "" {
			state = e.get("ping-status")
		}
		reachable = strings.EqualFold(state, "REACHABLE")
	}
	if user == "" {
		user = e.get("from-user")
	}
	if domain != "" && !strings.EqualFold(domain, b.cfg.Domain) && !strings.EqualFold(e.get("domain"), b.cfg.Domain) {
		return nil
	}
	name := "user/" + user
	d, watched := b.devices[name]
	if !watched || d.reachable == reachable {
		return nil
	}
	d.reachable = reachable
	b.devices[name] = d
	return []orchestrator.Event{b.changed(name, d)}
}

// readPhones reads which users have a phone that answers.
func readPhones(text string) (map[string]bool, error) {
	out := map[string]bool{}
	if !strings.HasPrefix(strings.TrimSpace(text), "<") {
		return out, nil // No such profile, or none started yet.
	}
	var doc struct {
		Registrations []struct {
			User string `xml:"sip-auth-user"`
			AOR  string `xml:"user"`
			Ping string `xml:"ping-status"`
		} `xml:"registrations>registration"`
	}
	dec := xml.NewDecoder(strings.NewReader(text))
	dec.Strict = false
	dec.CharsetReader = plainCharset
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	for _, r := range doc.Registrations {
		user, _, _ := strings.Cut(r.AOR, "@")
		if user == "" {
			user = r.User
		}
		out[user] = out[user] || !strings.EqualFold(r.Ping, "Unreachable")
	}
	return out, nil
}

// plainCharset takes FreeSWITCH's ISO-8859-1 as it is: names of users are ASCII.
func plainCharset(_ string, in io.Reader) (io.Reader, error) { return in, nil }

// watchAnew follows a change of the list and reports the new endpoints.
func (c *session) watchAnew(ctx context.Context) error {
	answers, err := c.ears.send(ctx, encodePhones(c.cfg.Profile))
	if _, silent := unheard(err); silent {
		return err
	}
	phones, err := readPhones(answers[0])
	if err != nil {
		return err
	}
	c.report(ctx, c.book.rewatch(phones, c.watched()), nil)
	return nil
}

func (b *book) rewatch(phones map[string]bool, watched []string) (out []orchestrator.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.devices
	b.devices = map[string]device{}
	for _, name := range watched {
		d := device{reachable: phones[strings.TrimPrefix(name, "user/")], inUse: b.busy[name] > 0}
		b.devices[name] = d
		if was, known := old[name]; !known || was != d {
			out = append(out, b.changed(name, d))
		}
	}
	return out
}
