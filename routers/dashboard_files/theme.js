// Light, dark, or as the system has it: set before the first paint, so nothing flashes.
(() => {
  const NEXT = { auto: "light", light: "dark", dark: "auto" };
  const root = document.documentElement;

  function show(theme) {
    root.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${theme}`;
  }

  function stored() {
    const theme = localStorage.getItem("isotherm-theme");
    return theme in NEXT ? theme : "auto";
  }

  show(stored());
  document.addEventListener("DOMContentLoaded", () => {
    show(stored());
    document.getElementById("theme").addEventListener("click", () => {
      const theme = NEXT[root.dataset.theme];
      localStorage.setItem("isotherm-theme", theme);
      show(theme);
    });
  });
})();
