package lab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTwoLabsAtOnce(t *testing.T) {
	one, two := startLab(t, Config{Agents: 1}), startLab(t, Config{Agents: 1})
	if one.SIPAddr == two.SIPAddr || one.ARIURL == two.ARIURL {
		t.Fatalf("shared address: %s %s", one.SIPAddr, one.ARIURL)
	}
	_, first := request(t, one, "GET", "/asterisk/info")
	_, second := request(t, two, "GET", "/asterisk/info")
	if entity(t, first) == entity(t, second) {
		t.Error("two labs look like one Asterisk: same entity id")
	}
	one.Kill()
	if status, _ := request(t, two, "GET", "/asterisk/info"); status != 200 {
		t.Errorf("after the other was killed: %d", status)
	}
}

func entity(t *testing.T, info []byte) string {
	t.Helper()
	var v struct {
		System struct {
			ID string `json:"entity_id"`
		}
	}
	if err := json.Unmarshal(info, &v); err != nil || v.System.ID == "" {
		t.Fatalf("entity id in %s: %v", info, err)
	}
	return v.System.ID
}

func TestKillRestartKeepsRegistrations(t *testing.T) {
	a := startLab(t, Config{Agents: 1})
	desk := newPhone(t, a, "127.0.0.1", a.Agents[0].Number)
	if status := desk.register(a.Agents[0].Password); status != 200 {
		t.Fatalf("register: %d", status)
	}
	time.Sleep(1500 * time.Millisecond) // Asterisk commits its database once a second.
	a.Kill()
	if a.PID() != 0 {
		t.Error("still has a process id after Kill")
	}
	if status, _ := request(t, a, "GET", "/asterisk/info"); status != 0 {
		t.Errorf("answers %d after Kill", status)
	}
	if err := a.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := a.CLI("pjsip show contacts")
	if err != nil || !strings.Contains(out, desk.conn.LocalAddr().String()) {
		t.Errorf("registration lost: %s %v", out, err)
	}
}

func TestFreezeAndThaw(t *testing.T) {
	a := startLab(t, Config{Agents: 1})
	if err := a.Freeze(); err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 500 * time.Millisecond}
	if resp, err := client.Get(a.ARIURL + "/asterisk/info"); err == nil {
		_ = resp.Body.Close()
		t.Error("frozen Asterisk answers")
	}
	if err := a.Thaw(); err != nil {
		t.Fatal(err)
	}
	if status, _ := request(t, a, "GET", "/asterisk/info"); status != 200 {
		t.Errorf("thawed Asterisk: %d", status)
	}
	if err := a.Freeze(); err != nil { // Stop must end a frozen one too.
		t.Fatal(err)
	}
}

// TestOrphanEndsWithItsParent kills a process that runs a lab: the kernel must end its Asterisk,
// and nothing may stay mounted.
func TestOrphanEndsWithItsParent(t *testing.T) {
	if os.Getenv("LAB_ORPHAN") != "" {
		a := startLab(t, Config{Agents: 1})
		fmt.Printf("orphan %d %s\n", a.PID(), a.Dir)
		time.Sleep(time.Minute)
		return
	}
	if err := Available(); err != nil {
		t.Skipf("SKIPPED, no Asterisk to test with: %v", err)
	}
	before, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	pid, dir := orphan(t)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	eventually(t, "end of the orphan", func() bool { return syscall.Kill(pid, 0) != nil })
	after, err := os.ReadFile("/proc/self/mounts")
	if err != nil || string(after) != string(before) {
		t.Errorf("mounts changed: %v\n%s", err, after)
	}
}

// orphan runs this test binary as a parent, kills it, and returns the process id
// and folder of the Asterisk it had started.
func orphan(t *testing.T) (pid int, dir string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestOrphanEndsWithItsParent$")
	cmd.Env = append(os.Environ(), "LAB_ORPHAN=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanf(out, "orphan %d %s\n", &pid, &dir); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("Asterisk %d: %v", pid, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // It was killed: the error says so.
	return pid, dir
}
