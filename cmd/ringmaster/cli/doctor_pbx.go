package cli

import (
	"context"
	"errors"
	"io"
	"os"

	"ringmaster/adapters/asterisk"
	"ringmaster/adapters/freeswitch"
	"ringmaster/api/gen"
	"ringmaster/orchestrator"
)

// patient is one PBX to look at.
type patient struct {
	id        string
	kind      gen.SwitchType
	url, user string
	password  string
	endpoints []string
	links     []string // trunks to other switches
	linked    bool     // others have one to here
}

// passwords are where they come from when no file has them: never from the
// command line, which everybody on the machine can read.
var passwords = map[gen.SwitchType]string{
	gen.SwitchTypeAsterisk:   "RINGMASTER_ARI_PASSWORD",
	gen.SwitchTypeFreeswitch: "RINGMASTER_ESL_PASSWORD",
}

// passwordOf is a switch's own password, or else that of the environment for
// its kind: one PBX's password is never sent to one of another kind, nor to a
// simulated switch.
func passwordOf(s gen.Switch) string {
	if variable, known := passwords[s.Type]; known && s.Password == "" {
		return os.Getenv(variable)
	}
	return s.Password
}

// examine looks at the PBX.
func (p patient) examine(ctx context.Context) []orchestrator.Finding {
	id := orchestrator.SwitchID(p.id)
	if p.kind == gen.SwitchTypeAsterisk {
		found := asterisk.Examine(ctx, asterisk.Config{ID: id, URL: p.url, User: p.user, Password: p.password, Endpoints: p.endpoints})
		return append(found, lacking(asterisk.Capable())...)
	}
	cfg, err := freeswitch.ReadURL(p.url)
	if err != nil {
		return []orchestrator.Finding{{
			Severity: orchestrator.SeverityError, What: "configuration", Found: err.Error(), Fix: "correct this switch's url in Ringmaster",
		}}
	}
	cfg.ID, cfg.User, cfg.Password, cfg.Endpoints, cfg.Links, cfg.Linked = id, p.user, p.password, p.endpoints, p.links, p.linked
	return append(freeswitch.Examine(ctx, cfg), lacking(freeswitch.Capable())...)
}

// lacking is what nothing can be done about on this kind of PBX, and what it
// means: good to know before it is met in a call.
func lacking(can orchestrator.Capabilities) (found []orchestrator.Finding) {
	for _, l := range can.Lacks() {
		found = append(found, orchestrator.Finding{Severity: orchestrator.SeverityNote, What: "cannot " + l.Capability, Found: l.Means})
	}
	return found
}

// patients lists the PBXs to look at, and what is wrong with the file. named
// are those of the command line; with one of them the file is not read.
func patients(in io.Reader, file string, named []patient) (all []patient, found []orchestrator.Finding, err error) {
	for _, p := range named {
		if p.url == "" {
			continue
		}
		if p.password = os.Getenv(passwords[p.kind]); p.password == "" {
			return nil, nil, errors.New("set " + passwords[p.kind] + " to the password")
		}
		all = append(all, p)
	}
	if len(all) > 0 {
		return all, nil, nil
	}
	if file == "" {
		return nil, []orchestrator.Finding{{
			Severity: orchestrator.SeverityWarning, What: "PBX", Found: "none was named",
			Fix: "say doctor -f center.yaml, or doctor --ari URL, or doctor --esl URL",
		}}, nil
	}
	f, err := readCenter(in, file)
	if err != nil {
		return nil, nil, err
	}
	found = append(found, orchestrator.Finding{Severity: orchestrator.SeverityOK, What: "configuration file", Found: file + " can be read"})
	all, bad := ofFile(f.Change)
	return all, append(found, bad...), nil
}

// ofFile lists the switches of a configuration that can be reached.
func ofFile(change gen.ConfigurationChange) (all []patient, found []orchestrator.Finding) {
	if change.Switches == nil {
		return nil, nil
	}
	for _, s := range *change.Switches {
		variable, known := passwords[s.Type]
		if !known {
			continue // A simulated switch has nothing to look at.
		}
		p := patient{id: s.ID, kind: s.Type, url: s.URL, user: s.Username, password: passwordOf(s), endpoints: endpointsOf(change, s.ID)}
		p.links, p.linked = linksOf(*change.Switches, s.ID)
		if p.url == "" || p.password == "" {
			found = append(found, orchestrator.Finding{
				Severity: orchestrator.SeverityWarning, What: s.ID, Found: "no url and password in the file", Fix: "add them, or set " + variable,
			})
			continue
		}
		all = append(all, p)
	}
	return all, found
}

func endpointsOf(c gen.ConfigurationChange, sw string) (endpoints []string) {
	if c.Phones == nil {
		return nil
	}
	for _, p := range *c.Phones {
		if p.Switch == sw {
			endpoints = append(endpoints, p.Endpoint)
		}
	}
	return endpoints
}

// linksOf are a switch's trunks to others, and whether others have one to it.
func linksOf(switches []gen.Switch, id string) (trunks []string, linked bool) {
	for _, s := range switches {
		for _, l := range s.Links {
			if s.ID == id {
				trunks = append(trunks, l.Trunk)
			}
			linked = linked || l.To == id
		}
	}
	return trunks, linked
}
