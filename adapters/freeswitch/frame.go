package freeswitch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/percipia/eslgo"
)

// Limits of what FreeSWITCH may send. A list of 20,000 channels is about 10 MB.
const (
	headLimit = 64 << 10
	bodyLimit = 32 << 20
)

// Content types that eslgo has no name for.
const (
	typeRejection = "text/rude-rejection"
)

// frame is one message of the event socket.
type frame struct {
	kind  string // its Content-Type
	reply string // its Reply-Text, as it is: nothing in it is encoded
	body  []byte
}

var (
	errHead = fmt.Errorf("message head is longer than %d bytes", headLimit)
	errBody = fmt.Errorf("message body is longer than %d bytes", bodyLimit)
)

// readFrame reads one message. Header names are matched whatever their case; a
// line that is no header is passed over.
func readFrame(r *bufio.Reader) (f frame, err error) {
	length, seen := 0, 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				err = errHead
			}
			return frame{}, err
		}
		if seen += len(line); seen > headLimit {
			return frame{}, errHead
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			if f.kind == "" && length == 0 && f.reply == "" {
				seen = 0
				continue // An empty line between two messages.
			}
			break
		}
		name, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimSpace(value)
		switch {
		case strings.EqualFold(name, "Content-Type"):
			f.kind = value
		case strings.EqualFold(name, "Reply-Text"):
			f.reply = value
		case strings.EqualFold(name, "Content-Length"):
			if length, err = strconv.Atoi(value); err != nil || length < 0 {
				return frame{}, fmt.Errorf("content length %q is not a number", clip(value, maxID))
			}
		}
	}
	if length > bodyLimit {
		return frame{}, errBody
	}
	if length > 0 {
		f.body = make([]byte, length)
		_, err = io.ReadFull(r, f.body)
	}
	return f, err
}

// welcome begins the answer to who logs in as a user of the directory. Behind
// it stands what he may do. FreeSWITCH cuts the answer to fit 511 bytes, the
// empty line at its end too, as soon as that is a little more.
var welcome = []byte("Content-Type: command/reply\nReply-Text: +OK accepted\n")

const welcomeLimit = len("Content-Type: command/reply\n") + 510 // It leaves a sign of its own out.

// readWelcome is readFrame for the answer to a log-in, which may have been cut.
func readWelcome(r *bufio.Reader) (frame, error) {
	for n := 1; n <= welcomeLimit; n++ {
		head, err := r.Peek(n)
		if err != nil {
			return frame{}, err
		}
		if bytes.HasSuffix(head, []byte("\n\n")) {
			break
		}
		if n == welcomeLimit && bytes.HasPrefix(head, welcome) && r.Buffered() == n {
			_, err = r.Discard(n)
			return frame{kind: eslgo.TypeReply, reply: "+OK accepted"}, err
		}
	}
	return readFrame(r)
}

// isReply reports a message that answers a command.
func (f *frame) isReply() bool { return f.kind == eslgo.TypeReply || f.kind == eslgo.TypeAPIResponse }

// text is what a command was answered: the body of an api command, or the
// reply to any other. Of a command that printed nothing mod_event_socket says
// that it had no reply, as if that were an error.
func (f *frame) text() string {
	if f.kind != eslgo.TypeAPIResponse {
		return f.reply
	}
	if text := string(f.body); strings.TrimSpace(text) != noReply {
		return text
	}
	return ""
}

const noReply = "-ERR no reply"
