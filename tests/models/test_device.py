import pytest
import torch

from napari_ubam.errors import DeviceError
from napari_ubam.models.device import available_devices, pick_device, smaller_batch


def test_auto_is_the_best_there_is() -> None:
    assert str(pick_device("auto")) == available_devices()[0]
    assert available_devices()[-1] == "cpu"
    assert pick_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["cuda:99", "nonsense", "", "cuda:", "cuda:-1", "CPU!", "meta", "cuda:99999999999"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(name: str) -> None:
    with pytest.raises(DeviceError, match=f"no device '{name}'.*'auto' or one of: .*cpu"):
        pick_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:7"])
def test_a_gpu_where_there_is_none(name: str) -> None:
    with pytest.raises(DeviceError, match=f"no device '{name}'"):
        pick_device(name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_cuda_is_the_first_gpu() -> None:
    assert pick_device("cuda").type == "cuda"
    assert str(pick_device("cuda:0")) == "cuda:0"


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 20.00 GiB.",
        "MPS backend out of memory (MPS allocated: 17.9 GB)",
        "[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: not enough memory: you tried to allocate",
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to",
    ],
)
def test_every_lack_of_memory_halves_the_batch(message: str) -> None:
    cpu = torch.device("cpu")
    assert smaller_batch(RuntimeError(message), 16, cpu, "posture") == 8
    assert smaller_batch(RuntimeError(message), 3, cpu, "posture") == 1
    with pytest.raises(DeviceError, match="too little memory for posture"):
        smaller_batch(RuntimeError(message), 1, cpu, "posture")


def test_a_lack_of_memory_by_torch_s_own_error() -> None:
    with pytest.raises(RuntimeError, match="shape"):
        smaller_batch(RuntimeError("shape '[2]' is invalid"), 16, torch.device("cpu"), "posture")
    assert smaller_batch(torch.OutOfMemoryError("full"), 16, torch.device("cpu"), "posture") == 8


def test_torch_s_own_message_for_the_cpu_is_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50, dtype=torch.uint8)
    assert smaller_batch(caught.value, 4, torch.device("cpu"), "posture") == 2
