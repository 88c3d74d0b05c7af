package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"ringmaster/cmd/phonebank/phone"
)

// callFlags describe the one call of the call command.
type callFlags struct {
	cfg      phone.Config
	options  phone.DialOptions
	dtmf     string
	dtmfWait time.Duration
	talk     time.Duration
	patience time.Duration
	trace    bool
	json     bool
}

func newCall() *cobra.Command {
	var f callFlags
	cmd := &cobra.Command{
		Use:   "call NUMBER",
		Short: "Make one call and tell what happens",
		Long: `Dial a number, press keys if asked to, listen, hang up; print every step with its time, and at the end a line
of what was heard: a letter per 100 ms, '.' for silence, '~' for sound, a digit for the known tones in order.
The exit status is 1 when the call was not answered.`,
		Example: "  phonebank call --pbx 192.0.2.1 --user 1001 --password s3cret --dtmf 1 --record /tmp 700",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.call(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.cfg.Registrar, "pbx", "", "SIP address of the PBX, host or host:port (required)")
	fl.StringVar(&f.cfg.User, "user", "phonebank", "account, or just a name when there is no password")
	fl.StringVar(&f.cfg.Password, "password", "", "digest password of the account")
	fl.StringVar(&f.cfg.ListenHost, "listen", "", "local IP address; default: the one that leads to the PBX")
	fl.IntVar(&f.cfg.ToneHz, "tone", defaultCallerHz, "what to say, in Hz; 0 is silence")
	fl.IntSliceVar(&f.cfg.Tones, "listen-for", nil, "tones to recognise, in Hz; default: a dozen from 440 to 1500")
	fl.StringVar(&f.cfg.RecordDir, "record", "", "folder for a WAV file of what is heard")
	fl.StringVar(&f.options.CallerNumber, "caller-number", "", "number to show")
	fl.StringVar(&f.options.CallerName, "caller-name", "", "name to show")
	fl.StringVar(&f.dtmf, "dtmf", "", "keys to press after the answer")
	fl.DurationVar(&f.dtmfWait, "dtmf-wait", time.Second, "how long after the answer to press them")
	fl.DurationVar(&f.talk, "talk", 5*time.Second, "how long to stay after the answer")
	fl.DurationVar(&f.patience, "patience", 30*time.Second, "how long to wait for the answer")
	fl.BoolVar(&f.trace, "trace", false, "print every SIP message")
	fl.BoolVar(&f.json, "json", false, "print events as JSON lines")
	_ = cmd.MarkFlagRequired("pbx") // the flag exists
	return cmd
}

// call makes the call and prints as it goes.
func (f *callFlags) call(ctx context.Context, w io.Writer, number string) error {
	var mu sync.Mutex
	begun := time.Now()
	say := func(at time.Time, text string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, "%8.3f  %s\n", at.Sub(begun).Seconds(), text)
	}
	f.cfg.OnEvent = func(e phone.Event) { say(e.At, describe(e)) }
	if f.json {
		encode := json.NewEncoder(w)
		f.cfg.OnEvent = func(e phone.Event) {
			mu.Lock()
			defer mu.Unlock()
			_ = encode.Encode(e)
		}
	}
	if f.trace {
		f.cfg.OnDatagram = func(at time.Time, out bool, b []byte) {
			say(at, map[bool]string{true: "--> ", false: "<-- "}[out]+strings.ReplaceAll(strings.TrimSpace(string(b)), "\r\n", "\n              "))
		}
	}
	p, err := phone.New(f.cfg)
	if err != nil {
		return err
	}
	defer p.Close() //nolint:errcheck // the call is over and reported
	ring, cancel := context.WithTimeout(ctx, f.patience)
	defer cancel()
	c, err := p.Dial(ring, number, f.options)
	if err != nil {
		return err
	}
	if err := c.WaitAnswer(ctx); err == nil {
		err = f.talkOn(ctx, c)
		if err != nil {
			return err
		}
	}
	bye, stop := context.WithTimeout(context.WithoutCancel(ctx), hangUpTime)
	defer stop()
	_ = c.Hangup(bye)
	if c.Times().Answered.IsZero() {
		return errJudged
	}
	if !f.json {
		fmt.Fprintf(w, "heard     %s\n%s", strip(c), legend(c))
	}
	return nil
}

// talkOn presses the keys and stays for the rest of the time.
func (f *callFlags) talkOn(ctx context.Context, c *phone.Call) error {
	over, cancel := context.WithTimeout(ctx, f.talk)
	defer cancel()
	if f.dtmf != "" {
		steps := []stepPlan{{wait: span{f.dtmfWait, f.dtmfWait}}, {digits: f.dtmf}}
		if err := follow(over, c, steps, newDice(0, 0)); err != nil && over.Err() == nil {
			return err
		}
	}
	_, _ = c.WaitEnd(over)
	return nil
}

// describe is an event in words.
func describe(e phone.Event) string {
	switch e.Kind {
	case phone.Dialled:
		return "dialled " + e.Peer
	case phone.HeardTone:
		return fmt.Sprintf("heard %d Hz", e.ToneHz)
	case phone.HeardDigit:
		return "heard digit " + e.Digit
	case phone.Ended:
		text := fmt.Sprintf("ended by %s, status %d", e.By, e.Code)
		if e.TalkMs > 0 {
			text += fmt.Sprintf(", after %.1f s", float64(e.TalkMs)/1000)
		}
		if e.Reason != "" {
			text += " (" + e.Reason + ")"
		}
		return text
	}
	return string(e.Kind)
}

// strip draws the timeline.
func strip(c *phone.Call) string {
	var b strings.Builder
	tones := c.Ear().Tones()
	for _, m := range c.Ear().Timeline(c.Times().Invite, c.Times().Ended) {
		b.WriteByte(letter(m, tones))
	}
	return b.String()
}

func letter(m phone.Moment, tones []int) byte {
	for i, hz := range tones {
		if len(m.Tones) > 0 && m.Tones[0] == hz {
			return byte('1' + min(i, 8))
		}
	}
	if m.RMS > soundRMS {
		return '~'
	}
	return '.'
}

// soundRMS is what counts as a sound in the drawing; full scale is 32768.
const soundRMS = 50

func legend(c *phone.Call) string {
	var b strings.Builder
	for i, hz := range c.Ear().Tones() {
		fmt.Fprintf(&b, "          %c is %d Hz\n", '1'+min(i, 8), hz)
	}
	if path := c.Recording(); path != "" {
		fmt.Fprintf(&b, "recorded  %s\n", path)
	}
	return b.String()
}
