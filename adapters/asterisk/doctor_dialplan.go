package asterisk

import "context"

// destination is a place in the dialplan that this orchestrator sends calls to, or
// gets them from.
type destination struct {
	what, context, extension string
	without                  Severity // what it is to have none
	missing                  string   // what goes wrong then
}

func (x *examiner) destinations() []destination {
	return []destination{
		{"fallback", x.cfg.Fallback, "s", SeverityError, "while Ringmaster is away, callers are hung up on"},
		{"person or machine", x.cfg.Detection, "s", SeverityNote, "what answers a dialled call cannot be told"},
		{"calls from other switches", "rm-link", "1", SeverityNote, "an agent here cannot talk to a caller on another switch of yours"},
	}
}

// dialplan looks for those places.
func (x *examiner) dialplan(ctx context.Context) {
	for _, p := range x.destinations() {
		switch there, seen := x.variable(ctx, "DIALPLAN_EXISTS("+p.context+","+p.extension+",1)"); {
		case !seen:
			x.add(SeverityNote, p.what, "cannot be seen without func_dialplan.so", "a context "+p.context, "on the PBX: dialplan show "+p.context)
		case there == "1":
			x.ok(p.what, "context "+p.context+" exists")
		default:
			x.add(p.without, p.what, "no context "+p.context+": "+p.missing, "a context "+p.context,
				"extensions.conf: the part ["+p.context+"] of dialplans/asterisk/extensions.conf; then: dialplan reload")
		}
	}
}
