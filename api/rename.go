package api

import (
	"regexp"
	"strconv"
	"strings"

	"ringmaster/orchestrator"
)

// placeForm is the beginning of a fault's field: "queues[3]".
var placeForm = regexp.MustCompile(`^([a-z]+)\[([0-9]+)\]`)

// renamer puts a place in a whole configuration into words of a request that
// did not send the whole: the object it sent loses its place, every other is
// named by its id ("numbers[+4930123456].flow").
func renamer(c orchestrator.Config, section string, place int) func(string) string {
	return func(field string) string {
		m := placeForm.FindStringSubmatch(field)
		if m == nil {
			return field
		}
		rest := field[len(m[0]):]
		at, err := strconv.Atoi(m[2])
		if err != nil {
			return field
		}
		if m[1] == section && at == place {
			return strings.TrimPrefix(rest, ".")
		}
		if id := idAt(&c, m[1], at); id != "" {
			return m[1] + "[" + id + "]" + rest
		}
		return field
	}
}

// idAt is the id of the object at a place, "" when there is none.
func idAt(c *orchestrator.Config, name string, at int) string {
	switch name {
	case switchSection.name:
		return switchSection.idAt(c, at)
	case phoneSection.name:
		return phoneSection.idAt(c, at)
	case agentSection.name:
		return agentSection.idAt(c, at)
	case hoursSection.name:
		return hoursSection.idAt(c, at)
	case queueSection.name:
		return queueSection.idAt(c, at)
	case flowSection.name:
		return flowSection.idAt(c, at)
	case numberSection.name:
		return numberSection.idAt(c, at)
	}
	return ""
}

func (s section[D, A]) idAt(c *orchestrator.Config, at int) string {
	if l := *s.list(c); at >= 0 && at < len(l) {
		return s.id(l[at])
	}
	return ""
}

// renameSettings is renamer for a request that sent the settings.
func renameSettings(c orchestrator.Config) func(string) string {
	others := renamer(c, "", -1)
	return func(field string) string {
		if rest, ok := strings.CutPrefix(field, "settings."); ok {
			return rest
		}
		return others(field)
	}
}
