#include "citation.h"

#ifndef NNPAL_WITHOUT_CITEME    // see cmake/FindTorchAndLammps.cmake
#include "citeme.h"
#include "lammps.h"
#endif

namespace {

// The log shows only the first line
[[maybe_unused]] constexpr char kCitation[] =
    "pair_style nnp (nnpal, TorchANI, and the active learning behind the model): "
    "doi:10.1021/acs.jcim.0c00451, "
    "doi:10.1039/D3DD00216K, doi:10.48550/arXiv.2311.05407\n\n"
    "@Misc{nnpal,\n"
    " author = {{nnpal developers}},\n"
    " title  = {nnpal: active learning of neural network potentials inside {LAMMPS}},\n"
    "}\n\n"
    "@Article{TorchANI2020,\n"
    " author  = {Gao, Xiang and Ramezanghorbani, Farhad and Isayev, Olexandr and Smith, Justin S. and "
    "Roitberg, "
    "Adrian E.},\n"
    " title   = {{TorchANI}: A Free and Open Source {PyTorch}-Based Deep Learning Implementation of the "
    "{ANI} Neural "
    "Network Potentials},\n"
    " journal = {J.\\ Chem.\\ Inf.\\ Model.},\n"
    " volume  = 60,\n"
    " number  = 7,\n"
    " pages   = {3408--3415},\n"
    " year    = 2020,\n"
    " doi     = {10.1021/acs.jcim.0c00451}\n"
    "}\n\n"
    "@Article{JungRareEvents2024,\n"
    " author  = {Jung, Gang Seob and Choi, Jong Youl and Lee, Sangkeun Matthew},\n"
    " title   = {Active Learning of Neural Network Potentials for Rare Events},\n"
    " journal = {Digital Discovery},\n"
    " volume  = 3,\n"
    " year    = 2024,\n"
    " doi     = {10.1039/D3DD00216K}\n"
    "}\n\n"
    "@Misc{JungDistillation2023,\n"
    " author = {Jung, Gang Seob and Lee, Sangkeun and Choi, Jong Youl},\n"
    " title  = {Data Distillation for Neural Network Potentials toward Foundational Dataset},\n"
    " year   = 2023,\n"
    " doi    = {10.48550/arXiv.2311.05407}\n"
    "}\n\n";

}    // namespace

void nnpal::cite(LAMMPS_NS::LAMMPS &lammps)
{
#ifndef NNPAL_WITHOUT_CITEME
  if (lammps.citeme) lammps.citeme->add(kCitation);    // none under `lmp -nocite`
#endif
}
