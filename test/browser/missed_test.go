package browser_test

import "testing"

func testClaim(t *testing.T, h *house) {
	alice, bob := h.logIn(t, "acme", "alice"), h.logIn(t, "acme", "bob")
	for _, w := range []*window{alice, bob} {
		w.goTo("missed")
		w.sees("h1", "Missed calls")
	}
	h.call(t, "acme", "602333444", "NOC").rings("999").isMissed()
	alice.sees(".missedlist li .who", "Petr Svoboda")
	id := alice.eval(`[...document.querySelectorAll("[data-missed]")].find((li) => li.textContent.includes("Petr Svoboda")).dataset.missed`)
	row := `[data-missed="` + id + `"]`
	bob.sees(row+" .claimed", "Nobody")

	alice.click(row + " [data-act=claim]")
	alice.sees(row+" .claimed", "You")
	bob.sees(row+" .claimed", "alice")
	bob.until(`document.querySelector(` + js(row+" [data-act=claim]") + `).disabled`)
	bob.until(`document.querySelector(` + js(row+" [data-act=resolve]") + `).disabled`)

	alice.click(row + " [data-act=release]")
	bob.sees(row+" .claimed", "Nobody")
	bob.click(row + " [data-act=claim]")
	alice.sees(row+" .claimed", "bob")

	bob.click(row + " [data-act=resolve]")
	bob.sees("dialog", "Resolve: Petr Svoboda")
	bob.types("dialog textarea", "sent the offer <b>again</b>")
	bob.click("dialog button.primary")
	bob.sees(".notice", "Resolved: Petr Svoboda")
	for _, w := range []*window{alice, bob} {
		w.until(`!document.querySelector(` + js(row) + `)`)
		w.click(".more button")
		w.sees(".resolved li", "sent the offer <b>again</b>")
		w.sees(".resolved li .how", "bob")
	}
}
