package freeswitch

import (
	"fmt"
	"strings"
)

// How FreeSWITCH 1.11.1 reads what it is sent, written from its sources and
// apart from the encoders: mod_event_socket.c read_packet, switch_utils.c
// switch_separate_string, switch_event.c switch_event_create_brackets,
// mod_dptools.c inline_dialplan_hunt.

// spoken is one command of the socket.
type spoken struct {
	line    string
	headers map[string][]string
}

// readSocket splits what was written into commands: two line feeds in a row end
// one, carriage returns count for nothing.
func readSocket(text string) (out []spoken, err error) {
	var block []string
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r", ""), "\n") {
		if line != "" {
			block = append(block, line)
			continue
		}
		if len(block) == 0 {
			continue
		}
		s := spoken{line: block[0], headers: map[string][]string{}}
		for _, h := range block[1:] {
			name, value, found := strings.Cut(h, ":")
			if !found {
				return nil, fmt.Errorf("%q is no header", h)
			}
			s.headers[strings.ToLower(name)] = append(s.headers[strings.ToLower(name)], strings.TrimLeft(value, " "))
		}
		out = append(out, s)
		block = nil
	}
	if len(block) != 0 {
		return nil, fmt.Errorf("the last command does not end: %q", block)
	}
	return out, nil
}

// separate is switch_separate_string.
func separate(buf string, delim byte, limit int) []string {
	if strings.HasPrefix(buf, "^^") && len(buf) > 3 {
		delim, buf = buf[2], buf[3:]
	}
	var raw []string
	if delim == ' ' {
		raw = separateBlank(buf, limit)
	} else {
		raw = separateChar(buf, delim, limit)
	}
	for i := range raw {
		raw[i] = cleanup(raw[i], delim)
	}
	return raw
}

func separateBlank(buf string, limit int) (out []string) {
	i := 0
	for i < len(buf) && len(out) < limit {
		start := i
		for i < len(buf) && buf[i] == ' ' {
			i++
		}
		if len(out) == limit-1 {
			return append(out, buf[start:]) // The last one keeps the rest.
		}
		quoted := false
		for i < len(buf) && (buf[i] != ' ' || quoted) {
			switch buf[i] {
			case '\\':
				i++
			case '\'':
				quoted = !quoted
			}
			i++
		}
		out = append(out, buf[start:min(i, len(buf))])
		for i < len(buf) && buf[i] == ' ' {
			i++
		}
	}
	return out
}

func separateChar(buf string, delim byte, limit int) (out []string) {
	i := 0
	for i < len(buf) && len(out) < limit {
		start := i
		if len(out) == limit-1 {
			return append(out, buf[start:])
		}
		quoted := false
		for i < len(buf) && (buf[i] != delim || quoted) {
			if buf[i] == '\\' {
				i++
			} else if buf[i] == '\'' && (quoted || strings.IndexByte(buf[i+1:], '\'') >= 0) {
				quoted = !quoted
			}
			i++
		}
		out = append(out, buf[start:min(i, len(buf))])
		i++
	}
	return out
}

// cleanup is cleanup_separated_string: quotes and escapes are taken off, and
// spaces around.
func cleanup(s string, delim byte) string {
	if delim == ' ' {
		delim = 0
	}
	s = strings.TrimLeft(s, " ")
	var out []byte
	end, quoted := 0, false
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			c := s[i+1]
			plain, known := map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 's': ' '}[c]
			if c == '\'' || c == '"' || delim != 0 && c == delim || c == '\\' {
				plain, known = c, true
			}
			if known {
				out = append(out, plain)
				end = len(out)
				i++
				continue
			}
		}
		if s[i] == '\'' && (quoted || strings.IndexByte(s[i+1:], '\'') >= 0) {
			if quoted = !quoted; quoted {
				end = len(out)
			}
			continue
		}
		out = append(out, s[i])
		if s[i] != ' ' || quoted {
			end = len(out)
		}
	}
	return string(out[:end])
}

// brackets is the {…} before a dial string: the variables, and what is left.
func brackets(text string) (variables map[string]string, rest string, err error) {
	if !strings.HasPrefix(text, "{") {
		return nil, text, nil
	}
	depth, end := 0, -1
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 && end < 0 {
				end = i
			}
		}
	}
	if end < 0 {
		return nil, "", fmt.Errorf("no end of %q", text)
	}
	inner, delim := text[1:end], byte(',')
	if strings.HasPrefix(inner, "^^") && len(inner) > 2 {
		delim, inner = inner[2], inner[3:]
	}
	variables = map[string]string{}
	for _, pair := range separate(inner, delim, 1024) {
		words := separate(pair, '=', 2)
		if len(words) != 2 {
			return nil, "", fmt.Errorf("%q is no variable", pair)
		}
		if _, twice := variables[words[0]]; twice {
			return nil, "", fmt.Errorf("%q is set twice", words[0])
		}
		variables[words[0]] = words[1]
	}
	return variables, text[end+1:], nil
}

// inline is the applications of an inline dialplan and their arguments.
func inline(text string) (out [][2]string) {
	for _, app := range separate(text, ',', 128) {
		name, arg, _ := strings.Cut(app, ":")
		out = append(out, [2]string{strings.TrimLeft(name, " "), arg})
	}
	return out
}
