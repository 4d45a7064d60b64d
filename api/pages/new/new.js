/* The file of a new job can be dropped anywhere on its form; the form itself works without. */
(() => {
  const form = document.querySelector("[data-drop]");
  if (form === null) return;
  const input = form.querySelector("input[type=file]");
  const mark = (isOver) => form.classList.toggle("over", isOver);

  form.addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  form.addEventListener("dragleave", () => mark(false));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    if (event.dataTransfer.files.length === 0) return;
    input.files = event.dataTransfer.files;
    form.requestSubmit();
  });
  form.addEventListener("submit", () => {
    form.querySelector("[data-uploading]").hidden = false;
  });
})();
