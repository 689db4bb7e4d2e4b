// The recorder of «Thu âm»: one for each bulletin. The take stays in this page until the server has kept it.
// MediaRecorder: https://developer.mozilla.org/docs/Web/API/MediaRecorder (read 23/11/2026).
"use strict";

(() => {
  const FORMATS = [
    ["audio/webm;codecs=opus", "webm"], ["audio/ogg;codecs=opus", "ogg"], ["audio/mp4", "m4a"], ["audio/webm", "webm"],
  ];
  const SOUND = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const QUIET = -36, LOUD = -3, SILENT = -60, EVERY = 100, HOLD = 1500;
  const REFUSED = {
    NotAllowedError: "Trình duyệt chưa được phép dùng micrô. Bấm biểu tượng cạnh ô địa chỉ, cho phép «Micrô», rồi bấm Thu lại lần nữa; hoặc tải bản thu có sẵn lên bên dưới.",
    NotFoundError: "Máy này chưa có micrô. Hãy cắm micrô hoặc tai nghe có micrô rồi bấm Thu lại lần nữa; hoặc thu bằng điện thoại rồi tải tệp lên bên dưới.",
    NotReadableError: "Micrô đang được chương trình khác dùng. Hãy đóng chương trình đó (họp trực tuyến, ghi âm) rồi bấm Thu lại lần nữa; hoặc tải bản thu có sẵn lên bên dưới.",
  };
  const OTHER = "Chưa mở được micrô. Hãy kiểm tra micrô rồi thử lại, hoặc tải bản thu có sẵn lên bên dưới.";
  const INSECURE = "Trình duyệt chỉ cho thu âm khi trang quản trị mở bằng https. Hãy báo người quản trị, hoặc thu bằng điện thoại rồi tải tệp lên bên dưới.";
  const OLD = "Trình duyệt này chưa thu âm được. Hãy dùng Chrome, Edge, Firefox hoặc Safari bản mới, hoặc tải bản thu có sẵn lên bên dưới.";

  let busy = null;
  const unsaved = new Set();

  function clock(seconds) {
    const whole = Math.floor(seconds);
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  }

  class Recorder {
    constructor(card) {
      this.card = card;
      this.form = card.querySelector("form.recorder__form");
      this.longest = Number(card.dataset.longest);
      for (const name of ["desk", "level", "time", "hint", "start", "stop", "save", "take", "state", "wrong"]) {
        this[name] = this.form.querySelector(`[data-${name}]`);
      }
      this.upload = this.form.querySelector("details");
      this.format = FORMATS.find(([type]) => window.MediaRecorder && MediaRecorder.isTypeSupported(type));
      this.blob = null;
      this.trouble = this.unable();
      if (this.trouble) { this.tell(""); this.fail(this.trouble); this.upload.open = true; return; }
      this.desk.hidden = false;
      this.start.addEventListener("click", () => this.begin());
      this.stop.addEventListener("click", () => this.recorder && this.recorder.state !== "inactive" && this.recorder.stop());
      this.save.addEventListener("click", () => this.send());
    }

    unable() {
      if (!window.isSecureContext) return INSECURE;
      return navigator.mediaDevices && navigator.mediaDevices.getUserMedia && this.format ? "" : OLD;
    }

    tell(words) { this.state.textContent = words; }

    fail(words) { this.wrong.textContent = words; this.wrong.hidden = !words; }

    label(words) { this.start.querySelector("span").textContent = words; }

    async begin() {
      if (busy) { this.fail("Đang thu một bản tin khác trong trang này. Hãy dừng bản đó trước."); return; }
      busy = this;
      this.fail("");
      this.tell("Đang mở micrô…");
      try {
        this.stream = await navigator.mediaDevices.getUserMedia({ audio: SOUND });
      } catch (error) {
        busy = null;
        this.tell("");
        this.fail(REFUSED[error.name] || OTHER);
        this.upload.open = true;
        return;
      }
      this.watch();
      this.pieces = [];
      this.recorder = new MediaRecorder(this.stream, { mimeType: this.format[0], audioBitsPerSecond: 128000 });
      this.recorder.addEventListener("dataavailable", (event) => event.data.size && this.pieces.push(event.data));
      this.recorder.addEventListener("stop", () => this.taken());
      this.stream.getAudioTracks()[0].addEventListener("ended", () => this.recorder.state !== "inactive" && this.recorder.stop());
      this.recorder.start(1000);
      this.began = performance.now();
      this.start.hidden = this.save.hidden = this.take.hidden = true;
      this.stop.hidden = false;
      this.card.classList.add("recorder--on");
      this.tell("Đang thu. Đọc xong thì bấm Dừng.");
      this.stop.focus();
    }

    watch() {
      this.sounds = new AudioContext();
      const listener = this.sounds.createAnalyser();
      listener.fftSize = 4096;
      this.sounds.createMediaStreamSource(this.stream).connect(listener);
      const wave = new Float32Array(listener.fftSize);
      this.heard = this.warned = performance.now();
      this.hint.textContent = "";
      this.timer = setInterval(() => {
        listener.getFloatTimeDomainData(wave);
        let sum = 0, peak = 0;
        for (const value of wave) { sum += value * value; peak = Math.max(peak, Math.abs(value)); }
        this.show(10 * Math.log10(sum / wave.length + 1e-12), 20 * Math.log10(peak + 1e-12));
      }, EVERY);
    }

    show(loudness, peak) {
      const now = performance.now(), seconds = (now - this.began) / 1000;
      this.level.value = Math.max(SILENT, Math.min(0, loudness));
      this.level.textContent = `${Math.round(loudness)} dB`;
      this.time.textContent = clock(Math.max(0, seconds));
      if (loudness > QUIET) this.heard = now;
      let words = "Mức tiếng vừa.";
      if (peak > LOUD) { words = "Tiếng quá to, dễ vỡ: hãy lùi xa micrô hoặc giảm âm lượng thu."; this.loud = now; }
      else if (this.loud && now - this.loud < 2 * HOLD) return;
      else if (now - this.heard > HOLD) words = "Tiếng quá nhỏ: hãy nói gần micrô hơn hoặc kiểm tra micrô đã bật.";
      if (words !== this.hint.textContent && (now - this.warned > HOLD || !this.hint.textContent)) {
        this.hint.textContent = words;
        this.hint.classList.toggle("is-warning", words !== "Mức tiếng vừa.");
        this.warned = now;
      }
      if (seconds >= this.longest && this.recorder && this.recorder.state === "recording") {
        this.recorder.stop();
        this.fail(`Đã dừng ở ${this.longest / 60} phút. Bản tin dài hơn thì chia thành nhiều bản tin.`);
      }
    }

    taken() {
      clearInterval(this.timer);
      this.stream.getTracks().forEach((track) => track.stop());
      this.sounds.close();
      busy = null;
      this.blob = new Blob(this.pieces, { type: this.format[0].split(";")[0] });
      if (this.take.src) URL.revokeObjectURL(this.take.src);
      this.take.src = URL.createObjectURL(this.blob);
      this.level.value = SILENT;
      this.hint.textContent = "";
      this.card.classList.remove("recorder--on");
      this.stop.hidden = true;
      this.start.hidden = this.save.hidden = this.take.hidden = false;
      this.label("Thu lại");
      unsaved.add(this);
      this.tell(`Đã thu ${this.time.textContent}, chưa lưu. Nghe lại, rồi bấm Lưu bản thu hoặc Thu lại.`);
      this.take.focus();
    }

    send() {
      this.fail("");
      this.start.disabled = this.save.disabled = true;
      const data = new FormData(this.form);
      data.set("recording_file", this.blob, `thu-am.${this.format[1]}`);
      const request = new XMLHttpRequest();
      request.open("POST", this.form.action);
      request.setRequestHeader("hx-request", "true");
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable) this.tell(`Đang gửi lên: ${Math.round(100 * event.loaded / event.total)}%…`);
      });
      request.upload.addEventListener("load", () => this.tell("Đang bớt ồn và cân tiếng, đợi ít giây…"));
      request.addEventListener("load", () => this.answered(request));
      request.addEventListener("error", () => this.kept("Mạng bị ngắt nên chưa lưu được. Bản thu vẫn còn trong trang này: hãy bấm Lưu bản thu lần nữa."));
      this.tell("Đang gửi lên…");
      request.send(data);
    }

    answered(request) {
      const to = request.getResponseHeader("location");
      if (request.status === 200 && to) {
        unsaved.delete(this);
        this.tell("Đã lưu bản thu.");
        const there = new URL(to, location.href);
        if (there.pathname === location.pathname) { location.hash = there.hash; location.reload(); } else location.assign(there);
        return;
      }
      const plain = (request.getResponseHeader("content-type") || "").startsWith("text/plain");
      this.kept(plain ? request.responseText : "Chưa lưu được bản thu. Bản thu vẫn còn trong trang này: hãy mở trang quản trị ở thẻ khác, đăng nhập lại rồi bấm Lưu bản thu lần nữa.");
    }

    kept(words) {
      this.start.disabled = this.save.disabled = false;
      this.tell("Bản thu chưa được lưu.");
      this.fail(words);
      this.save.focus();
    }
  }

  for (const card of document.querySelectorAll("[data-recorder]")) {
    if (card.querySelector("form.recorder__form")) new Recorder(card);
  }
  addEventListener("beforeunload", (event) => { if (unsaved.size || busy) event.preventDefault(); });
})();
