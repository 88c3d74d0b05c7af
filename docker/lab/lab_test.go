package lab

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmaster/dialplans"
)

// startLab starts a lab for one test, or skips when none can run here.
func startLab(t *testing.T, cfg Config) *Asterisk {
	t.Helper()
	if err := Available(); err != nil {
		t.Skipf("SKIPPED, no Asterisk to test with: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, err := Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// request sends one ARI request and returns status and body.
func request(t *testing.T, a *Asterisk, method, path string) (int, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.ARIURL+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	req.SetBasicAuth(a.ARIUser, a.ARIPassword)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

// eventually waits up to 5 s for something Asterisk does in its own time.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("within 5 s no %s", what)
		}
	}
}

func complaints(t *testing.T, a *Asterisk) []string {
	t.Helper()
	log, err := os.ReadFile(a.Logs())
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, " ERROR[") || strings.Contains(line, " WARNING[") {
			found = append(found, line)
		}
	}
	return found
}

// The files an admin pastes load without a single complaint, and the module list
// for autoload=no is complete.
func TestShippedFilesLoadWithoutComplaint(t *testing.T) {
	a := startLab(t, Config{})
	for _, line := range complaints(t, a) {
		t.Error(line)
	}
	status, body := request(t, a, "GET", "/asterisk/info")
	if status != http.StatusOK || !strings.Contains(string(body), "startup_time") {
		t.Errorf("info: %d %s", status, body)
	}
}

// Pasted without setting a password, nothing lets anybody in.
func TestShippedFilesRefuseEmptyPasswords(t *testing.T) {
	a := startLab(t, Config{Agents: 1})
	for _, name := range []string{"ari.conf", "pjsip.conf"} {
		text, err := dialplans.Asterisk.ReadFile("asterisk/" + name)
		if err != nil {
			t.Fatal(err)
		}
		text = []byte(strings.Replace(string(text), "0.0.0.0:5060", a.SIPAddr, 1))
		if err := os.WriteFile(filepath.Join(a.Dir, "etc", name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, module := range []string{"res_ari.so", "res_pjsip.so"} {
		if _, err := a.CLI("module reload " + module); err != nil {
			t.Fatal(err)
		}
	}
	a.ARIPassword = ""
	if status, body := request(t, a, "GET", "/asterisk/info"); status != http.StatusUnauthorized {
		t.Errorf("ARI with an empty password: %d %s, want 401", status, body)
	}
	if status := newPhone(t, a, "127.0.0.1", "1001").register(""); status < 400 {
		t.Errorf("phone with an empty password: %d, want a refusal", status)
	}
	t.Log(complaints(t, a))
}

func TestCallersGetTheFallbackWhileNobodyIsConnected(t *testing.T) {
	a := startLab(t, Config{Agents: 1})
	desk := newPhone(t, a, "127.0.0.1", a.Agents[0].Number)
	if status := desk.register(a.Agents[0].Password); status != 200 {
		t.Fatalf("register: %d", status)
	}
	caller := newPhone(t, a, CallerIP, "1001") // An agent's number in From: still the trunk.
	if status := caller.call("4930123456"); status != 200 {
		t.Fatalf("call: %d", status)
	}
	desk.expect("INVITE", 15*time.Second)
}

func TestAgentsHearThatCodesDoNotWorkWhileNobodyIsConnected(t *testing.T) {
	a := startLab(t, Config{Agents: 1})
	stranger := newPhone(t, a, "127.0.0.1", "4917012345")
	if status := stranger.call("4930123456"); status != 200 {
		t.Errorf("caller from 127.0.0.1: %d", status)
	}
	desk := newPhone(t, a, "127.0.0.1", a.Agents[0].Number)
	if status := desk.call("*11"); status != 401 {
		t.Errorf("desk phone without password: %d, want 401", status)
	}
}

// The queue to measure beside Ringmaster: the known music, then the desk phone.
func TestBenchQueuePlaysTheKnownToneAndRings(t *testing.T) {
	a := startLab(t, Config{Agents: 1})
	caller := newPhone(t, a, CallerIP, "4917012345")
	if status := caller.call(BenchExtension); status != 200 {
		t.Fatalf("call: %d", status)
	}
	if got := caller.hears(MusicHz, 5*time.Second); got < 0.9 {
		t.Errorf("share of %d Hz in the music: %.2f", MusicHz, got)
	}
	listenOnLoopback(t, a)
	desk := newPhone(t, a, "127.0.0.1", a.Agents[0].Number)
	if status := desk.register(a.Agents[0].Password); status != 200 {
		t.Fatalf("register: %d", status)
	}
	desk.expect("INVITE", 5*time.Second)
}

// listenOnLoopback checks the lab's ports of a running Asterisk.
func listenOnLoopback(t *testing.T, a *Asterisk) {
	t.Helper()
	for _, addr := range sockets(t, a.PID()) {
		_, port, _ := net.SplitHostPort(addr)
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(addr)
		}
		// Two more sockets are those from which the SIP stack would ask a name server.
		if n >= firstPort && n <= lastPort && !strings.HasPrefix(addr, "127.0.0.1:") {
			t.Errorf("Asterisk listens on %s", addr)
		}
	}
}

// sockets lists the local addresses of the IPv4 and IPv6 sockets of a process.
func sockets(t *testing.T, pid int) []string {
	t.Helper()
	owned := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(fds) == 0 {
		t.Fatalf("files of process %d: %v", pid, err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil {
			owned[strings.Trim(strings.TrimPrefix(target, "socket:"), "[]")] = true
		}
	}
	var found []string
	for _, table := range []string{"udp", "tcp", "udp6", "tcp6"} {
		text, err := os.ReadFile("/proc/net/" + table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) > 9 && owned[f[9]] {
				found = append(found, address(f[1]))
			}
		}
	}
	if len(found) < 3 {
		t.Fatalf("only %q found for process %d", found, pid)
	}
	return found
}

// address decodes an address of /proc/net: the IP in words of host byte order.
func address(text string) string {
	ip, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(ip)
	n, errPort := strconv.ParseUint(port, 16, 16)
	if err != nil || errPort != nil || len(raw)%4 != 0 {
		return text
	}
	for i := 0; i < len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	return net.JoinHostPort(net.IP(raw).String(), fmt.Sprint(n))
}

// connect registers the application rm over a websocket it never reads.
func connect(t *testing.T, a *Asterisk) {
	t.Helper()
	u, err := url.Parse(a.ARIURL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "GET /ari/events?app=rm&api_key=%s:%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", a.ARIUser, a.ARIPassword, u.Host)
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "101") {
		t.Fatalf("websocket: %q %v", line, err)
	}
}

// A prompt dropped into SoundsDir is heard, a recording lands in RecordingDir, and
// whatever a caller dials only a number reaches the application.
func TestConnectedApplicationPlaysAndRecords(t *testing.T) {
	a := startLab(t, Config{Agents: 1})
	connect(t, a)
	if err := writeTone(filepath.Join(a.SoundsDir, "greeting.wav"), 700); err != nil {
		t.Fatal(err)
	}
	caller := newPhone(t, a, CallerIP, "4917012345")
	caller.send(caller.request("INVITE", "sip:4930,x@"+a.SIPAddr, "Content-Type: application/sdp\r\n", caller.sdp()))
	var legs []struct {
		ID       string
		Dialplan struct {
			AppData string `json:"app_data"`
		}
	}
	eventually(t, "leg in the application", func() bool {
		_, body := request(t, a, "GET", "/channels")
		if err := json.Unmarshal(body, &legs); err != nil {
			t.Fatal(err)
		}
		return len(legs) > 0 && legs[0].Dialplan.AppData != ""
	})
	if len(legs) != 1 || legs[0].Dialplan.AppData != "rm,v1,in,4930" {
		t.Fatalf("legs: %+v", legs)
	}
	leg := "/channels/" + legs[0].ID
	for _, path := range []string{leg + "/answer", leg + "/play?media=" + url.QueryEscape(a.Media("greeting.wav"))} {
		if status, body := request(t, a, "POST", path); status >= 300 {
			t.Fatalf("%s: %d %s", path, status, body)
		}
	}
	if got := caller.hears(700, 5*time.Second); got < 0.9 {
		t.Errorf("share of 700 Hz in the prompt: %.2f", got)
	}
	if status, body := request(t, a, "POST", leg+"/snoop?spy=both&app=rm&snoopId=s1"); status != 200 {
		t.Fatalf("snoop: %d %s", status, body)
	}
	eventually(t, "recording accepted", func() bool { // Not before the snoop's own StasisStart.
		status, _ := request(t, a, "POST", "/channels/s1/record?name=one&format=wav")
		return status == 201
	})
	file := filepath.Join(a.RecordingDir, "one.wav")
	eventually(t, "recording in "+file, func() bool {
		_, err := os.Stat(file)
		return err == nil
	})
}
