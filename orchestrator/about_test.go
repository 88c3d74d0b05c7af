package orchestrator_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"testing"

	o "ringmaster/orchestrator"
)

// TestLegOfEverything holds that no action and no event with a leg is left out.
func TestLegOfEverything(t *testing.T) {
	const leg = o.LegID("leg")
	actions := []o.Action{
		o.Claim{Leg: leg},
		o.Dial{Leg: leg},
		o.Answer{Leg: leg},
		o.Ring{Leg: leg},
		o.EarlyMedia{Leg: leg},
		o.Hangup{Leg: leg},
		o.Play{Leg: leg},
		o.StopPlay{Leg: leg},
		o.StartMusic{Leg: leg},
		o.StopMusic{Leg: leg},
		o.SendDigits{Leg: leg},
		o.Mute{Leg: leg},
		o.Display{Leg: leg},
		o.SetVariable{Leg: leg},
		o.ReadVariable{Leg: leg},
		o.DetectMachine{Leg: leg},
		o.Release{Leg: leg},
		o.StartRecording{Leg: leg},
		o.StopRecording{Leg: leg},
		o.Mask{Leg: leg},
		o.StreamAudio{Leg: leg},
		o.StopStream{Leg: leg},
		o.Supervise{Leg: leg},
		o.StopSupervising{Leg: leg},
		o.AcceptTransfer{Leg: leg},
		o.RejectTransfer{Leg: leg},
		o.Connect{B: leg},
		o.Join{Leg: leg},
		o.Separate{Leg: leg},
	}
	for _, a := range actions {
		if got := o.ActionLeg(a); got != leg {
			t.Errorf("%T: leg %q", a, got)
		}
	}
	complete(t, "command.go", "action", len(actions)+1) // CloseBridge has none

	events := []o.Event{
		o.LegOffered{Leg: leg},
		o.LegRinging{Leg: leg},
		o.LegEarly{Leg: leg},
		o.LegUp{Leg: leg},
		o.LegHold{Leg: leg},
		o.LegUnhold{Leg: leg},
		o.Digit{Leg: leg},
		o.Joined{Leg: leg},
		o.Left{Leg: leg},
		o.PlayDone{Leg: leg},
		o.RecordingStarted{Leg: leg},
		o.RecordingDone{Leg: leg},
		o.MachineDetected{Leg: leg},
		o.VariableRead{Leg: leg},
		o.TransferAsked{Leg: leg},
		o.TransferHappened{Leg: leg},
		o.LegReleased{Leg: leg},
		o.LegEnded{Leg: leg},
		o.CommandDone{Leg: leg},
	}
	for _, e := range events {
		if got := o.EventLeg(e); got != leg {
			t.Errorf("%T: leg %q", e, got)
		}
	}
	none := []o.Event{
		o.SwitchSynced{},
		o.SwitchLost{},
		o.SwitchSuperseded{},
		o.SwitchOverloaded{},
		o.EndpointChanged{},
		o.ConfigChanged{},
		o.AgentAsked{},
		o.HangupAsked{},
		o.PINRead{},
		o.Restarted{},
		o.InputFailed{},
		o.Wake{},
	}
	for _, e := range none {
		if _, has := reflect.TypeOf(e).FieldByName("Leg"); has && reflect.TypeOf(e) != reflect.TypeFor[o.PINRead]() {
			t.Errorf("%T has a leg", e)
		}
	}
	complete(t, "event.go", "event", len(events)+len(none))
}

// complete holds that a closed set, marked by a method, has n members.
func complete(t *testing.T, file, mark string, n int) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	marked := 0
	for _, d := range parsed.Decls {
		if f, is := d.(*ast.FuncDecl); is && f.Recv != nil && f.Name.Name == mark {
			marked++
		}
	}
	if marked != n {
		t.Errorf("%s marks %d types with %s(), this test knows %d", file, marked, mark, n)
	}
}
