package browsertest

import (
	_ "embed"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
)

//go:embed audit.js
var auditJS string

//go:embed reflow.js
var reflowJS string

// operable are the roles whose elements must have a name (WCAG 4.1.2).
var operable = map[string]bool{
	"button": true, "link": true, "textbox": true, "searchbox": true, "combobox": true, "checkbox": true, "radio": true,
	"DisclosureTriangle": true, "image": true, "img": true, "table": true, "region": true, "form": true, "navigation": true,
}

// Audit lists what is wrong with the page as it is now for people who see
// badly, hear it read, have a small screen or use no mouse. It finds what a
// program can find: contrast, names, structure, reflow, sizes of targets.
func (p *Page) Audit() []string {
	p.t.Helper()
	faults := append(p.Reflow(), Eval[[]string](p, auditJS)...)
	tree, err := chromedp.Call(p.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	p.do("read the accessibility tree", err)
	for _, node := range tree.Nodes {
		if role := text(node.Role); !node.Ignored && operable[role] && strings.TrimSpace(text(node.Name)) == "" {
			faults = append(faults, "without a name: "+role)
		}
	}
	return faults
}

// Reflow lists what does not fit on the screen. Audit includes it.
func (p *Page) Reflow() []string {
	p.t.Helper()
	return Eval[[]string](p, reflowJS)
}

func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	return strings.Trim(string(v.Value), `"`)
}
