"""A graphics card of NVIDIA's, asked through its driver's library (NVML), and left alone while it sleeps.

Functions and units: NVML API Reference. The library is the driver's own; nvidia-ml-py is its binding.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from app.domain.thermal import Reading
from app.thermal.counter import Counter
from app.thermal.sensor import SensorLostError, SensorSettings, Surroundings
from app.thermal.sysfs import Sysfs

#: HwSlowdown, SwThermalSlowdown, HwThermalSlowdown, HwPowerBrakeSlowdown. A card that idles, or is at its cap, is well.
_HEAT = 0x08 | 0x20 | 0x40 | 0x80
#: After these NVML has to be initialised anew; whatever else a function says is about that function.
_GONE = (
    "UNINITIALIZED",
    "DRIVER_NOT_LOADED",
    "LIBRARY_NOT_FOUND",
    "GPU_IS_LOST",
    "RESET_REQUIRED",
    "LIB_RM_VERSION_MISMATCH",
    "GPU_NOT_FOUND",
)
_MILLI = 1e-3
_HOTTEST_LIMIT_CELSIUS = 150
_NVIDIA, _DISPLAY, _DRIVER = "0x10de", "0x03", "nvidia"
_SYSTEMS_LIBRARY, _WINDOWS_LIBRARY = "libnvidia-ml.so.1", "nvml.dll"
_PCI = "bus/pci/devices"
_BUS_ID = r"(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-7])"


class NvmlSettings(SensorSettings):
    """Which card, and where its driver is."""

    kind: str = Field("nvml", description="how it is measured")
    device: Annotated[int, Field(ge=0, strict=True)] | Annotated[str, Field(pattern=rf"^(GPU-.+|{_BUS_ID})$")] = Field(
        0, description="the card's index, PCI bus id (in quotes: `'0000:01:00.0'`) or UUID (`GPU-...`)"
    )
    library: Path | None = Field(None, description="path of libnvidia-ml.so; else the system's")
    root: Path = Field(Path("/sys"), description="where sysfs is mounted")


def find(root: Path) -> Iterator[NvmlSettings]:
    """Every card of NVIDIA's on the PCI bus; the driver is not asked, for that would wake them."""
    for index, _ in enumerate(_cards(root)):
        yield NvmlSettings(device=index, root=root)


class NvmlSensor:
    """Touches NVML only while the kernel says that the card is awake.

    Until NVML has said what the card's bus id is, sysfs has to: both count cards in the order of the PCI bus.
    """

    Settings = NvmlSettings

    def __init__(self, settings: NvmlSettings, surroundings: Surroundings) -> None:  # noqa: ARG002 (all are built alike)
        self._settings = settings
        self._sysfs = Sysfs(settings.root)
        self._energy = Counter()
        self._bus_ids: list[str] | None = None
        self._card: _Card | None = None

    def read(self, now: float) -> Reading:
        try:
            if self._asleep():
                return Reading(at=now, asleep=True)
            if self._card is None:
                self._card = _Card(self._settings)
                self._bus_ids = [self._card.bus_id]
            return self._card.read(now, self._energy)
        except SensorLostError:
            self._energy.cut()
            self.close()
            raise

    def close(self) -> None:
        card, self._card, self._bus_ids = self._card, None, None
        self._sysfs.close()
        if card is not None:
            card.close()

    def _asleep(self) -> bool:
        if self._bus_ids is None:
            self._bus_ids = _candidates(self._settings)
        folder = self._sysfs.root / _PCI
        states = {self._sysfs.asleep(folder / bus_id) for bus_id in self._bus_ids}
        if len(states) > 1:
            raise SensorLostError(
                f"another card sleeps, and would wake if {self._settings.device} were looked for; a PCI bus id finds it"
            )
        return states == {True}


class _Card:
    """NVML's handle of one card. NVML counts who has initialised it: this is one of those until it is closed."""

    def __init__(self, settings: NvmlSettings) -> None:
        nvml = self._nvml = _library(settings.library)
        self._gone = {getattr(nvml, f"NVML_ERROR_{name}") for name in _GONE}
        self._handle: Any = None
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            raise SensorLostError(f"NVML does not start: {error}") from error
        try:
            self._handle = _handle(nvml, settings.device)
            self.bus_id = _as_sysfs(nvml.nvmlDeviceGetPciInfo(self._handle).busId)
            self._limits = self._limit("SLOWDOWN"), self._limit("SHUTDOWN")
        except nvml.NVMLError as error:
            self.close()
            raise SensorLostError(f"NVML has no card {settings.device}: {error}") from error
        except SensorLostError:
            self.close()
            raise

    def read(self, now: float, energy: Counter) -> Reading:
        nvml, ask = self._nvml, self._ask
        celsius = ask("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature", of=(nvml.NVML_TEMPERATURE_GPU,))
        milliwatts = ask("nvmlDeviceGetPowerUsage")
        energy.count(ask("nvmlDeviceGetTotalEnergyConsumption"), now)
        fan = ask("nvmlDeviceGetFanSpeed")
        load = ask("nvmlDeviceGetUtilizationRates")
        memory = ask("nvmlDeviceGetMemoryInfo")
        reasons = ask("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
        if all(value is None for value in (celsius, milliwatts, fan, load, memory, reasons)):
            raise SensorLostError("NVML answers nothing about this card")
        return Reading(
            at=now,
            celsius=celsius,
            watts=milliwatts * _MILLI if milliwatts is not None else None,
            joules=energy.total * _MILLI if energy.total is not None else None,
            fan_percent=fan,
            utilisation=load.gpu / 100 if load is not None else None,
            megahertz=ask("nvmlDeviceGetClockInfo", of=(nvml.NVML_CLOCK_GRAPHICS,)),
            memory_used_bytes=memory.used if memory is not None else None,
            memory_total_bytes=memory.total if memory is not None else None,
            throttling=bool(reasons & _HEAT) if reasons is not None else None,
            limit_slowdown_celsius=self._limits[0],
            limit_shutdown_celsius=self._limits[1],
        )

    def close(self) -> None:
        with suppress(self._nvml.NVMLError):  # where the driver has gone, there is nothing to let go of
            self._nvml.nvmlShutdown()

    def _ask(self, *functions: str, of: tuple[int, ...] = ()) -> Any:
        """What the first of these functions says that this driver has; None where it tells nothing."""
        for name in functions:
            try:
                return getattr(self._nvml, name)(self._handle, *of)
            except self._nvml.NVMLError as error:
                if error.value in self._gone:
                    raise SensorLostError(f"NVML has lost the card: {error}") from error
        return None

    def _limit(self, threshold: str) -> float | None:
        which = getattr(self._nvml, f"NVML_TEMPERATURE_THRESHOLD_{threshold}")
        celsius = self._ask("nvmlDeviceGetTemperatureThreshold", of=(which,))
        return celsius if celsius is not None and 0 < celsius <= _HOTTEST_LIMIT_CELSIUS else None


def _library(path: Path | None) -> Any:
    """The binding, with that library loaded. A process has one NVML."""
    try:
        import pynvml
    except ImportError as error:
        raise SensorLostError(f"nvidia-ml-py can't be loaded: {error}") from error
    with pynvml.libLoadLock:
        if pynvml.nvmlLib is None and path is not None:
            try:
                pynvml.nvmlLib = ctypes.CDLL(str(path))
            except OSError as error:
                raise SensorLostError(f"NVML can't be loaded: {error}") from error
        loaded = pynvml.nvmlLib._name if pynvml.nvmlLib is not None else None
    if loaded is not None and not _is_wanted(loaded, path):
        raise SensorLostError(
            f"NVML is loaded from {loaded} already, and a process can't have a second one "
            f"from {path or _SYSTEMS_LIBRARY}: give all nvml sensors the same library"
        )
    return pynvml


def _is_wanted(loaded: str, path: Path | None) -> bool:
    if path is not None:
        return loaded == str(path)
    return loaded == _SYSTEMS_LIBRARY or loaded.endswith(_WINDOWS_LIBRARY)


def _handle(nvml: Any, device: int | str) -> Any:
    if isinstance(device, int):
        return nvml.nvmlDeviceGetHandleByIndex(device)
    if device.startswith("GPU-"):
        return nvml.nvmlDeviceGetHandleByUUID(device)
    return nvml.nvmlDeviceGetHandleByPciBusId(device)


def _candidates(settings: NvmlSettings) -> list[str]:
    """The cards that it may be, by all that can be known without waking one; none where sysfs does not list it."""
    device = settings.device
    if isinstance(device, int):
        return _cards(settings.root)[device : device + 1]
    return _cards(settings.root) if device.startswith("GPU-") else [_as_sysfs(device)]


def _cards(root: Path) -> list[str]:
    """Bus ids of NVIDIA's cards, in the order of the bus, without those that another driver has."""
    with closing(Sysfs(root)) as sysfs:
        found = [
            folder.name
            for folder in sysfs.glob(f"{_PCI}/*")
            if re.fullmatch(_BUS_ID, folder.name)
            and sysfs.identity(folder / "vendor") == _NVIDIA
            and (sysfs.identity(folder / "class") or "").startswith(_DISPLAY)
            and sysfs.target(folder / "driver") in (None, _DRIVER)
        ]
    return sorted(found, key=lambda name: [int(part, 16) for part in re.split("[:.]", name)])


def _as_sysfs(bus_id: str) -> str:
    """`00000000:0A:00.0` and `0A:00.0` as sysfs has them: `0000:0a:00.0`."""
    match = re.fullmatch(_BUS_ID, bus_id)
    if match is None:
        return bus_id
    domain, bus, slot, function = match.groups()
    return f"{int(domain or '0', 16):04x}:{bus}:{slot}.{function}".lower()
