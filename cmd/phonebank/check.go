package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ringmaster/cmd/phonebank/phone"
)

// checked is the verdict about one account.
type checked struct {
	User  string  `json:"user"`
	OK    bool    `json:"ok"`
	Code  int     `json:"code"` // SIP status, 0 when nothing answered
	Ms    float64 `json:"ms"`
	Error string  `json:"error,omitempty"`
	Hint  string  `json:"hint,omitempty"`
}

func newRegisterCheck() *cobra.Command {
	var pbx, users, password, listen string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "register-check [scenario.yaml]",
		Short: "Try whether every phone can register",
		Long: `Register every account of a scenario, or of --users, and unregister it again. For each one: how long it took,
or what the PBX said and what that usually means. The exit status is 1 when one failed.`,
		Example: "  phonebank register-check scenario.yaml\n  phonebank register-check --pbx 192.0.2.1 --users 1001-1050 --password 'secret-{user}'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			accounts, err := accountsOf(args, &Scenario{
				PBX: pbx, Listen: listen, Agents: []AgentGroup{{Users: users, Password: password}},
			})
			if err != nil {
				return err
			}
			return report(cmd.OutOrStdout(), checkAll(cmd.Context(), accounts), asJSON)
		},
	}
	cmd.Flags().StringVar(&pbx, "pbx", "", "SIP address of the PBX, host or host:port")
	cmd.Flags().StringVar(&users, "users", "", "accounts, such as 1001-1005,1010")
	cmd.Flags().StringVar(&password, "password", "", "password; {user} in it stands for the account")
	cmd.Flags().StringVar(&listen, "listen", "", "local IP address; default: the one that leads to the PBX")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

// accountsOf are the phones of a scenario file, or of the flags when there is none.
func accountsOf(args []string, flags *Scenario) ([]phone.Config, error) {
	var p *plan
	if len(args) == 1 {
		var err error
		if p, err = loadScenario(args[0]); err != nil {
			return nil, err
		}
	} else {
		var problems []problem
		if p, problems = compile(flags); len(problems) > 0 {
			var errs []error
			for _, f := range problems {
				errs = append(errs, errors.New(f.text))
			}
			return nil, fmt.Errorf("without a scenario file, --pbx, --users and --password are needed: %w", errors.Join(errs...))
		}
	}
	var all []phone.Config
	for _, a := range p.agents {
		all = append(all, a.phones...)
	}
	for _, c := range p.callers {
		if c.registered {
			all = append(all, c.phones...)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the scenario has no accounts to register")
	}
	return all, nil
}

func checkAll(ctx context.Context, accounts []phone.Config) []checked {
	var mu sync.Mutex
	out := make([]checked, 0, len(accounts))
	_ = forEach(ctx, accounts, nil, func(cfg phone.Config, ctx context.Context) error {
		c := checkOne(ctx, cfg)
		mu.Lock()
		defer mu.Unlock()
		out = append(out, c)
		return nil
	})
	order := make(map[string]int, len(accounts))
	for i, cfg := range accounts {
		order[cfg.User] = i
	}
	slices.SortFunc(out, func(a, b checked) int { return order[a.User] - order[b.User] })
	return out
}

func checkOne(ctx context.Context, cfg phone.Config) checked {
	c := checked{User: cfg.User}
	p, err := phone.New(cfg)
	if err != nil {
		c.Error = err.Error()
		return c
	}
	defer p.Close() //nolint:errcheck // the answer is known
	begun := time.Now()
	if err := p.Register(ctx); err != nil {
		return refused(c, err)
	}
	c.Ms = float64(time.Since(begun).Microseconds()) / 1000
	c.Code, c.OK = 200, true
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
	defer cancel()
	if err := p.Unregister(bye); err != nil {
		c.OK, c.Error = false, err.Error()
	}
	return c
}

func refused(c checked, err error) checked {
	c.Error = err.Error()
	if status, ok := errors.AsType[*phone.StatusError](err); ok {
		c.Code = status.Code
	}
	switch c.Code {
	case 0:
		c.Hint = "nothing answers there: is the address and UDP port right, the PBX up, a firewall between?"
	case 401, 407:
		c.Hint = "wrong password, or the PBX does not know the user"
	case 403:
		c.Hint = "refused: wrong password, no such account, or this address may not register"
	case 404:
		c.Hint = "no such account; in Asterisk also: the endpoint has no aor of that name"
	case 503:
		c.Hint = "the PBX is overloaded or starting"
	}
	return c
}

func report(w io.Writer, all []checked, asJSON bool) error {
	failed := 0
	for _, c := range all {
		if !c.OK {
			failed++
		}
	}
	if asJSON {
		if err := writeJSON(w, all); err != nil {
			return err
		}
	} else if err := reportTable(w, all, failed); err != nil {
		return err
	}
	if failed > 0 {
		return errJudged
	}
	return nil
}

func reportTable(w io.Writer, all []checked, failed int) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "USER\tRESULT\tms\t")
	for _, c := range all {
		switch {
		case c.OK:
			fmt.Fprintf(t, "%s\tok\t%.1f\t\n", c.User, c.Ms)
		case c.Hint != "":
			fmt.Fprintf(t, "%s\tFAILED\t\t%s\n\t\t\t%s\n", c.User, c.Error, c.Hint)
		default:
			fmt.Fprintf(t, "%s\tFAILED\t\t%s\n", c.User, c.Error)
		}
	}
	fmt.Fprintf(t, "\n%d of %d phones can register.\n", len(all)-failed, len(all))
	return t.Flush()
}
