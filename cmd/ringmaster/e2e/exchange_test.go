package e2e

import (
	"context"
	"testing"
	"time"

	"ringmaster/docker/lab"
)

// machine is a PBX as tests break it.
type machine interface {
	Stop() error
	Kill()
	Restart(ctx context.Context) error
	Freeze() error
	Thaw() error
	Logs() string
}

// exchange is the PBX of a centre, whatever its kind.
type exchange struct {
	machine
	kind                        string // as the configuration's switches have it
	url, user, password         string // how ringmaster reaches it
	technology, music           string
	SIPAddr, SoundsDir, Version string
	Dir                         string
	Agents                      []lab.Agent
}

// kinds starts one PBX of each kind. A kind that cannot run here skips the test
// and says so.
var kinds = map[string]func(t testing.TB, agents int) *exchange{
	"asterisk":   startAsterisk,
	"freeswitch": startFreeSWITCH,
}

func startAsterisk(tb testing.TB, agents int) *exchange {
	tb.Helper()
	return runAsterisk(tb, lab.Config{Agents: agents, Qualify: 4 * time.Second})
}

func runAsterisk(tb testing.TB, cfg lab.Config) *exchange {
	tb.Helper()
	if err := lab.Available(); err != nil {
		tb.Skipf("NO END-TO-END TEST: %v", err)
	}
	pbx, err := lab.Start(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return &exchange{
		machine: pbx, kind: "asterisk", url: pbx.ARIURL, user: pbx.ARIUser, password: pbx.ARIPassword,
		technology: "PJSIP/", music: lab.MusicClass,
		SIPAddr: pbx.SIPAddr, SoundsDir: pbx.SoundsDir, Version: pbx.Version, Dir: pbx.Dir, Agents: pbx.Agents,
	}
}

func startFreeSWITCH(tb testing.TB, agents int) *exchange {
	tb.Helper()
	return runFreeSWITCH(tb, lab.FreeSWITCHConfig{Agents: agents, Qualify: 4 * time.Second})
}

func runFreeSWITCH(tb testing.TB, cfg lab.FreeSWITCHConfig) *exchange {
	tb.Helper()
	if err := lab.FreeSWITCHAvailable(); err != nil {
		tb.Skipf("THE LIVE PART WAS NOT RUN: %v", err)
	}
	pbx, err := lab.StartFreeSWITCH(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return &exchange{
		machine: pbx, kind: "freeswitch", password: pbx.ESLPassword,
		url:        "esl://" + pbx.ESLAddr + "?domain=" + pbx.Domain + "&recordings=" + pbx.RecordingDir,
		technology: "user/", music: lab.FreeSWITCHMusic,
		SIPAddr: pbx.SIPAddr, SoundsDir: pbx.SoundsDir, Version: pbx.Version, Dir: pbx.Dir, Agents: pbx.Agents,
	}
}
