package orchestrator

// ActionLeg is the leg an action is about; "" for actions of a bridge only. Of
// two legs it is the one whose absence would make the action fail: the second
// of Connect, the supervisor's of Supervise.
func ActionLeg(a Action) LegID {
	switch a := a.(type) {
	case Claim:
		return a.Leg
	case Dial:
		return a.Leg
	case Answer:
		return a.Leg
	case Ring:
		return a.Leg
	case EarlyMedia:
		return a.Leg
	case Hangup:
		return a.Leg
	case Play:
		return a.Leg
	case StopPlay:
		return a.Leg
	case StartMusic:
		return a.Leg
	case StopMusic:
		return a.Leg
	case SendDigits:
		return a.Leg
	case Mute:
		return a.Leg
	case Display:
		return a.Leg
	case SetVariable:
		return a.Leg
	case ReadVariable:
		return a.Leg
	case DetectMachine:
		return a.Leg
	case Release:
		return a.Leg
	}
	return actionLegTogether(a)
}

// actionLegTogether goes on with actions that concern more than one leg or a
// thing that belongs to a leg.
func actionLegTogether(a Action) LegID {
	switch a := a.(type) {
	case StartRecording:
		return a.Leg
	case StopRecording:
		return a.Leg
	case Mask:
		return a.Leg
	case StreamAudio:
		return a.Leg
	case StopStream:
		return a.Leg
	case Supervise:
		return a.Leg
	case StopSupervising:
		return a.Leg
	case AcceptTransfer:
		return a.Leg
	case RejectTransfer:
		return a.Leg
	case Connect:
		return a.B
	case Join:
		return a.Leg
	case Separate:
		return a.Leg
	}
	return ""
}

// EventLeg is the leg an event is about, "" for events of none.
func EventLeg(e Event) LegID {
	switch e := e.(type) {
	case LegOffered:
		return e.Leg
	case LegRinging:
		return e.Leg
	case LegEarly:
		return e.Leg
	case LegUp:
		return e.Leg
	case LegHold:
		return e.Leg
	case LegUnhold:
		return e.Leg
	case Digit:
		return e.Leg
	case Joined:
		return e.Leg
	case Left:
		return e.Leg
	case PlayDone:
		return e.Leg
	case RecordingStarted:
		return e.Leg
	case RecordingDone:
		return e.Leg
	case MachineDetected:
		return e.Leg
	case VariableRead:
		return e.Leg
	case TransferAsked:
		return e.Leg
	case TransferHappened:
		return e.Leg
	case LegReleased:
		return e.Leg
	case LegEnded:
		return e.Leg
	case CommandDone:
		return e.Leg
	}
	return ""
}
