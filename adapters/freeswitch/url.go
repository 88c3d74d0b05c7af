package freeswitch

import (
	"fmt"
	"net/url"
)

// ReadURL reads how operators write where a FreeSWITCH is:
//
//	esl://127.0.0.1:8021?domain=pbx.example
//
// host and port are those of the event socket, domain is that of the desk
// phones. profile (their SIP profile) and recordings (the folder on the switch)
// may follow where they are not the usual ones. It returns a Config with only
// these fields; New checks them further.
func ReadURL(text string) (Config, error) {
	const want = "want esl://host:port?domain=the phones' domain"
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "esl" || u.Host == "" || u.Port() == "" || u.User != nil || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return Config{}, fmt.Errorf("url %q: %s", clip(text, maxID), want)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Config{}, fmt.Errorf("url %q: %s", clip(text, maxID), want)
	}
	c := Config{Address: u.Host}
	for name, values := range query {
		switch {
		case len(values) != 1:
			return Config{}, fmt.Errorf("url %q: %s is there %d times", clip(text, maxID), clip(name, maxID), len(values))
		case name == "domain":
			c.Domain = values[0]
		case name == "profile":
			c.Profile = values[0]
		case name == "recordings":
			c.Recordings = values[0]
		default:
			return Config{}, fmt.Errorf("url %q: nothing is called %s, only domain, profile and recordings", clip(text, maxID), clip(name, maxID))
		}
	}
	if c.Domain == "" {
		return Config{}, fmt.Errorf("url %q: no domain: %s", clip(text, maxID), want)
	}
	return c, nil
}
