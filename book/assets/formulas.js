// A formula far down the page would ask for its fonts when one comes to it, and jump
// when they are there. The two that nearly all formulas need come after the page.
addEventListener("load", () => {
  for (const family of ["MJXTEX", "MJXTEX-I"]) document.fonts.load(`1em ${family}`);
});
